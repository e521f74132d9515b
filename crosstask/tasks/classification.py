"""What segmentation and category share: one of several classes, for a pixel or for an image."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Task
from crosstask.tasks.names import class_names
from crosstask.tasks.selection import full_precision, select, weights
from crosstask.tasks.term import Term

_HEAVIEST = 10.0


class Classification(Task):
    """One of several classes; cross-entropy. The raw prediction holds logits.

    A mean of weighted losses divides by the summed class weights, as ``torch.nn.CrossEntropyLoss`` does.

    Args:
        name: name of the task.
        classes: the names of the classes, or how many there are.
        class_weights: weight of each class in the loss; all 1 by default. ``balanced`` counts the classes in the labels
            that are trained on and weighs them by 1 / sqrt(frequency), see :meth:`balance`.
        label_smoothing: how much of a label is spread over all classes, in [0, 1).

    Raises:
        ValueError: an option is not valid.
    """

    def __init__(
        self,
        name: str,
        classes: int | list[str],
        class_weights: list[float] | Literal["balanced"] | None,
        label_smoothing: float,
    ) -> None:
        self.name = name
        self._classes = class_names(classes)
        self.channels = len(self._classes)
        self.balanced = class_weights == "balanced"
        self.class_weights = None if isinstance(class_weights, str) else _balance(class_weights, self.channels)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}: give a number from 0 to below 1, 0.1 say")
        self.label_smoothing = label_smoothing

    @property
    @override
    def classes(self) -> list[str]:
        return self._classes

    def balance(self, counts: Tensor) -> None:
        """Weigh the classes by how often they occur: w_c = sqrt(1 / f_c) / sum_k f_k sqrt(1 / f_k), of the frequencies
        f = counts / sum, so that the mean weight of a label is 1. The square root lies half-way between no weights and
        those of scikit-learn's ``balanced``, n / (k counts), with which a class of one pixel in ten thousand would rule
        the loss. A class that never occurs has weight 1, and no weight is above 10.

        >>> import torch
        >>> from crosstask.tasks import Category
        >>> task = Category("place", classes=["indoor", "outdoor"], class_weights="balanced")
        >>> task.balance(torch.tensor([90, 10]))
        >>> [round(weight, 2) for weight in task.class_weights.tolist()]
        [0.83, 2.5]

        Args:
            counts: labels of each class, (C,).
        """
        shares = counts.double() / counts.sum().clamp(min=1)
        raw = shares.clamp(min=1e-12).rsqrt()
        scaled = raw / (shares * raw).sum().clamp(min=1e-12)
        self.class_weights = scaled.clamp(max=_HEAVIEST).where(shares > 0, 1.0).float()

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        balance = None if self.class_weights is None else self.class_weights.to(known.prediction)
        losses = F.cross_entropy(
            known.prediction, known.target, balance, reduction="none", label_smoothing=self.label_smoothing
        )
        return Term((losses * known.weight).sum(), self.count(target, weight))

    @override
    def count(self, target: Tensor, weight: Tensor | None = None) -> Tensor:
        known = weights(self.known(target), weight)
        if self.class_weights is not None:
            known = known * self.class_weights.to(known)[target.clamp(min=0)]
        return known.sum()

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction).softmax(1)

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return prediction.max(1).indices  # ten times as fast as argmax over this axis on a CPU

    def confidence(self, prediction: Tensor) -> Tensor:
        """The largest probability, (B, ...)."""
        logits = full_precision(prediction)
        return (logits.max(1).values - logits.logsumexp(1)).exp()

    def values(self, target: Tensor) -> Tensor:
        """One-hot, (B, C, ...); all NaN where unknown."""
        return self.embed_target(target).where((target >= 0).unsqueeze(1), torch.nan)

    @override
    def invert(self, values: Tensor) -> Tensor:
        return full_precision(values).clamp(min=1e-6).log()

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.classes(views)

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.classes(views)

    def strata(self, value: Tensor) -> Tensor:
        """The classes themselves."""
        return value

    def embed(self, prediction: Tensor) -> Tensor:
        """Probabilities, (B, C, ...)."""
        return self.activate(prediction)

    def embed_target(self, target: Tensor) -> Tensor:
        """One-hot, (B, C, ...); all 0 where unknown."""
        indices = torch.arange(self.channels, device=target.device)
        return (target.unsqueeze(1) == indices.reshape(1, -1, *[1] * (target.ndim - 1))).float()


def _balance(class_weights: list[float] | None, count: int) -> Tensor | None:
    if class_weights is None:
        return None
    if len(class_weights) != count:
        raise ValueError(
            f"class_weights holds {len(class_weights)} numbers for {count} classes, {class_weights}: give one for each"
        )
    if not all(0 <= weight < float("inf") for weight in class_weights):
        raise ValueError(f"class_weights is {class_weights}: weights are finite and not negative")
    return torch.tensor(class_weights, dtype=torch.float32)
