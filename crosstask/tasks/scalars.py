"""Numbers of a whole image, valence and arousal say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Classes
from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Task
from crosstask.tasks.cells import Marks, is_blank, number, require_distinct, value_of
from crosstask.tasks.files import numbers
from crosstask.tasks.legend import Range
from crosstask.tasks.metrics.scalars import ScalarsMetric, concordance
from crosstask.tasks.names import MARKS, SEPARATOR, class_names
from crosstask.tasks.pictures import Chip, card
from crosstask.tasks.selection import Selected, full_precision, select
from crosstask.tasks.targets import Target, as_target
from crosstask.tasks.term import Term

_FLOOR = 1e-8


class Scalars(Target):
    """Numbers, float32 (k,), NaN unknown.

    >>> as_target(Scalars, [0.5, float("nan")]).known()
    tensor([ True, False])
    """


def _ccc(known: Selected) -> Tensor:
    ccc = concordance(known.prediction, known.target, known.weight, _FLOOR)
    return ((1 - ccc) * known.weight.sum(0)).sum()


def _smooth_l1(known: Selected) -> Tensor:
    losses = F.smooth_l1_loss(known.prediction, known.target.to(known.prediction), reduction="none")
    return (losses * known.weight).sum()


_LOSSES: dict[str, Callable[[Selected], Tensor]] = {"ccc": _ccc, "smooth_l1": _smooth_l1}


class Regression(Task):
    """Several numbers per image. The raw prediction holds the numbers themselves.

    The loss ``ccc`` is one minus the concordance correlation coefficient of each component over the known samples of
    the call, counted as often as there are such samples. It describes a batch, not a sample: it is *not* additive, so
    that accumulation over micro-batches averages their coefficients, and one sample alone teaches nothing. (Of several
    processes :class:`~crosstask.objectives.supervised.Supervised` brings all samples together.)
    ``smooth_l1`` is additive.

    >>> task = Regression("mood", names=["valence", "arousal"], loss="smooth_l1", ranges=[(-1, 1), (-1, 1)])
    >>> task.parse("0.5;").tolist()  # the arousal is unknown
    [0.5, nan]
    >>> task.decide(torch.tensor([[2.0, 0.3]]))
    tensor([[1.0000, 0.3000]])

    Args:
        name: name of the task.
        names: the names of the components, or how many there are.
        loss: ccc or smooth_l1.
        ranges: lowest and highest value of each component; labels outside are refused, decided values clipped.
        unknown: cells that stand for no label, beside blank ones: -5 or -2 in some sets.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "scalars"
    target_type: ClassVar = Scalars
    conventions = ("unknown",)

    def __init__(
        self,
        name: str,
        *,
        names: Classes | list[str],
        loss: Literal["ccc", "smooth_l1"] = "ccc",
        ranges: list[tuple[float, float]] | None = None,
        unknown: list[float | str] | None = None,
    ) -> None:
        require_distinct("unknown", unknown or ())
        self.unknown_marks = Marks(unknown or ())
        if loss not in _LOSSES:
            raise ValueError(f"loss is {loss!r}: choose one of {', '.join(_LOSSES)}")
        self.name = name
        self._names = class_names(names, "names")
        self.channels = len(self._names)
        self._loss = _LOSSES[loss]
        self.additive = loss != "ccc"
        if ranges is not None and (len(ranges) != self.channels or not all(low < high for low, high in ranges)):
            raise ValueError(f"ranges is {ranges}: give (lowest, highest) for each of the {self.channels} components")
        self.ranges = ranges

    @property
    @override
    def classes(self) -> list[str]:
        return self._names

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        return Term(self._loss(known), self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction)

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        if self.ranges is None:
            return self.activate(prediction)
        low, high = torch.tensor(self.ranges, device=prediction.device).T
        return self.activate(prediction).clamp(low, high)

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.numbers(self.decide(views), self._tolerance(views))

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.numbers(views, self._tolerance(views))

    def embed(self, prediction: Tensor) -> Tensor:
        """The numbers, (B, k)."""
        return self.activate(prediction)

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return target.nan_to_num(0)

    @override
    def metric(self) -> ScalarsMetric:
        return ScalarsMetric(self._names, self.decide)

    @override
    def check(self, target: Tensor) -> None:
        if tuple(target.shape) != (self.channels,) or not target.is_floating_point():
            raise ValueError(
                f"a scalars target is float ({self.channels},), found {target.dtype} {tuple(target.shape)}"
            )
        for name, value, (low, high) in zip(self._names, target.tolist(), self._ranges(), strict=True):
            if math.isinf(value) or value < low or value > high:
                raise ValueError(f"{name} is {value:.4g}, outside {low:g} to {high:g}: correct the label or the ranges")

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return card(self.chips(value), size)

    def chips(self, value: Tensor) -> list[Chip]:
        """Every number, in the recipe's order."""
        chips = []
        for name, shown, (low, high) in zip(self._names, value.tolist(), self._ranges(), strict=True):
            low, high = (low, high) if math.isfinite(low) else (-1.0, 1.0)
            chips.append(Chip(name, f"{shown:.3g}", (shown - low) / (high - low)))
        return chips

    def parse(self, cell: Any) -> Scalars:
        """Numbers joined by ``;``, a list or a mapping of ``channels`` numbers; blank, null and the ``unknown`` marks
        where unknown."""
        value = value_of(cell)
        if isinstance(value, np.ndarray):
            value = numbers(value, self.kind).tolist() if value.ndim == 1 else [value.shape]
        if isinstance(value, dict):
            odd = next((name for name in value if name not in self._names), None)
            if odd is not None:
                raise ValueError(f"{odd!r} is none of the components {', '.join(self._names)}: correct the name")
            value = [value.get(name) for name in self._names]
        if value is None or is_blank(value, []):
            value = [None] * self.channels
        parts = (
            value.split(SEPARATOR) if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
        )
        if len(parts) != self.channels:
            raise ValueError(
                f"{str(cell)!r:.80} holds {len(parts)} numbers, not one for each of the names "
                f"({', '.join(self._names)}): join them by '{SEPARATOR}' and leave unknown ones blank"
            )
        target = as_target(Scalars, np.array([self._number(part) for part in parts], np.float32))
        self.check(target)
        return target

    @override
    def unknown_by(self, cell: Any, target: Tensor) -> Counter[str]:
        value = value_of(cell)
        parts = value.split(SEPARATOR) if isinstance(value, str) else value if isinstance(value, list) else [value]
        unknown = target.as_subclass(Tensor).isnan().tolist()
        if len(parts) != self.channels:
            return Counter({str(cell).strip() or "blank": sum(unknown)} if any(unknown) else {})
        return Counter(str(part).strip() or "blank" for part, gone in zip(parts, unknown, strict=True) if gone)

    def _number(self, part: Any) -> float:
        if part in self.unknown_marks:
            return math.nan
        given = None if isinstance(part, (list, tuple, dict)) else number(part)
        if given is None:
            text = part.strip() if isinstance(part, str) else part
            raise ValueError(f"{text!r} is not a number: {_remedy(text)}")
        return given

    def encode(self, value: Tensor) -> dict[str, Any]:
        """``cell``, the numbers as a table holds them, and the ``values`` by name (None unknown)."""
        numbers = {
            name: None if number != number else float(f"{number:.6g}")
            for name, number in zip(self._names, value.tolist(), strict=True)
        }
        cell = SEPARATOR.join("" if number is None else f"{number:.6g}" for number in numbers.values())
        return {"cell": cell, "values": numbers}

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return (self.channels,)

    def _tolerance(self, like: Tensor) -> Tensor:
        """The spread of opinions at which they are half as sure: a share of the range, or 0.1 without one."""
        widths = [high - low if math.isfinite(high - low) else 1.0 for low, high in self._ranges()]
        return like.new_tensor(widths) * fusion.TAU

    def _ranges(self) -> list[tuple[float, float]]:
        return self.ranges or [(-math.inf, math.inf)] * self.channels


def _remedy(text: object) -> str:
    """What to write instead of a text that is no number."""
    usual = "correct the cell, or leave the component blank"
    if not isinstance(text, str):
        return usual
    if text.lower() in MARKS or not any(map(str.isdigit, text)):
        return f"leave it blank, or set unknown: ['{text}']"
    plain = text.replace(",", ".", 1).replace("\u2212", "-")
    if plain != text and number(plain) is not None:
        return f"write {plain}"
    share = number(text.removesuffix("%").strip()) if text.endswith("%") else None
    return usual if share is None else f"write {share:g} or {share / 100:g}"
