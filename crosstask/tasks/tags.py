"""Tags of a whole image: each present or not."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.ranges import Classes
from crosstask.tasks import fusion
from crosstask.tasks.base import Task
from crosstask.tasks.files import numbers
from crosstask.tasks.legend import Range
from crosstask.tasks.metrics.tags import TagsMetric
from crosstask.tasks.names import SEPARATOR, class_names, index_of
from crosstask.tasks.pictures import Chip, card
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import Target, as_target
from crosstask.tasks.term import Term

_NONE = "-"
_UNSURE = "?"


class Tags(Target):
    """Which tags are present, float32 (C,) in [0, 1], NaN unknown.

    >>> as_target(Tags, [1.0, float("nan")]).known()
    tensor([ True, False])
    """


class Tagging(Task):
    """Any number of tags per image; binary cross-entropy, mean average precision. The raw prediction holds logits.

    A cell names the tags that are present, joined by ``;``; all others are absent. ``-`` is an image known to have
    none, ``?dog`` says that dog is unknown.

    >>> task = Tagging("tags", classes=["cat", "dog", "sofa"])
    >>> task.parse("sofa;?dog").tolist()
    [0.0, nan, 1.0]
    >>> task.encode(torch.tensor([0.1, 0.2, 0.9]))["cell"]
    'sofa'

    Args:
        name: name of the task.
        classes: the names of the tags, or how many there are.

    Raises:
        ValueError: the names are not valid.
    """

    kind = "tags"
    target_type: ClassVar = Tags
    unit = "probability"

    def __init__(self, name: str, *, classes: Classes | list[str]) -> None:
        self.name = name
        self._classes = class_names(classes)
        self.channels = len(self._classes)

    @property
    def classes(self) -> list[str]:
        return self._classes

    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        losses = F.binary_cross_entropy_with_logits(
            known.prediction, known.target.to(known.prediction), reduction="none"
        )
        return Term((losses * known.weight).sum(), self.count(target, weight))

    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction).sigmoid()

    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction)

    def confidence(self, prediction: Tensor) -> Tensor:
        """The probability of being right about presence, (B, C)."""
        return full_precision(prediction).abs().sigmoid()

    def invert(self, values: Tensor) -> Tensor:
        return full_precision(values).logit(1e-6)

    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.shares(views)

    def strata(self, value: Tensor) -> Tensor:
        """Each tag where it is present, and each where it is absent."""
        groups = 2 * torch.arange(self.channels) + (value > 0.5).long()
        return groups.where(~value.isnan(), -1)

    def embed(self, prediction: Tensor) -> Tensor:
        """Probabilities, (B, C)."""
        return self.activate(prediction)

    def embed_target(self, target: Tensor) -> Tensor:
        return target.nan_to_num(0)

    def metric(self) -> TagsMetric:
        return TagsMetric(self._classes)

    def check(self, target: Tensor) -> None:
        if tuple(target.shape) != (self.channels,) or not target.is_floating_point():
            raise ValueError(f"a tags target is float ({self.channels},), found {target.dtype} {tuple(target.shape)}")
        plain = target.as_subclass(Tensor)
        wrong = plain[(plain < 0) | (plain > 1)]
        if len(wrong):
            raise ValueError(f"a tag is {float(wrong[0]):.4g}: tags are 0 (absent) to 1 (present), NaN unknown")

    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return card(self.chips(value), size)

    def chips(self, value: Tensor) -> list[Chip]:
        """Every tag and its probability."""
        entries = zip(self._classes, value.tolist(), strict=True)
        chips = [Chip(name, f"{share:.2f}", share) for name, share in entries]
        return sorted(chips, key=lambda chip: -chip.strength if chip.known else 1)

    def parse(self, cell: np.ndarray | str) -> Tags:
        """A cell of names or indices, or an array of ``channels`` numbers in [0, 1]."""
        if not isinstance(cell, str):
            target = as_target(Tags, numbers(cell, self.kind).astype(np.float32))
            self.check(target)
            return target
        if not cell.strip():
            return as_target(Tags, torch.full((self.channels,), torch.nan))
        values = torch.zeros(self.channels)
        for text in (part.strip() for part in cell.split(SEPARATOR)):
            if text and text != _NONE:
                index = index_of(text.removeprefix(_UNSURE), self._classes, "tag")
                values[index] = torch.nan if text.startswith(_UNSURE) else 1.0
        return as_target(Tags, values)

    def encode(self, value: Tensor) -> dict[str, Any]:
        """``cell``, the tags above 0.5 as a table holds them, and the ``probabilities`` by name (None unknown)."""
        shares = dict(zip(self._classes, value.tolist(), strict=True))
        known = {name: None if share != share else round(share, 6) for name, share in shares.items()}
        marks = [
            _UNSURE + name if share is None else name for name, share in known.items() if share is None or share > 0.5
        ]
        empty = "" if all(share is None for share in known.values()) else SEPARATOR.join(marks) or _NONE
        return {"cell": empty, "probabilities": known}

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return (self.channels,)
