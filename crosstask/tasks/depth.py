"""Depth along the optical axis, in metres."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Positive
from crosstask.tasks.base import Orientation
from crosstask.tasks.files import extremes, marks_of, quantity, stored
from crosstask.tasks.length import FLOOR, Length
from crosstask.tasks.maps import FloatMap
from crosstask.tasks.metrics.distance import DepthMetric
from crosstask.tasks.scale_free import scale_free
from crosstask.tasks.selection import Selected, full_precision, select
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term

UNIT = 1e-3
"""Metres per stored integer, unless a recipe says otherwise."""
_VARIANCE_SHARE = 0.5
_LOG_LIMIT = 10.0


class DepthMap(FloatMap):
    """Depth, float32 (1, H, W) in metres, NaN unknown.

    >>> as_target(DepthMap, [[[2.5, float("nan")]]]).known()
    tensor([[ True, False]])
    """

    @override
    def zoomed(self, factor: float) -> Tensor:
        return self.as_subclass(Tensor) / factor


def _l1(known: Selected) -> Tensor:
    return ((known.prediction - known.target).abs() * known.weight.unsqueeze(1)).sum()


def _log_error(known: Selected) -> Tensor:
    return known.prediction - known.target.where(known.weight.unsqueeze(1) > 0, 1.0).log()


def _log_l1(known: Selected) -> Tensor:
    return (_log_error(known).abs() * known.weight.unsqueeze(1)).sum()


def _scale_invariant(known: Selected) -> Tensor:
    weight = known.weight.flatten(1)
    error = _log_error(known).flatten(1)
    amount = weight.sum(1).where(weight.sum(1) > 0, 1.0)
    return ((weight * error**2).sum(1) - _VARIANCE_SHARE * (weight * error).sum(1) ** 2 / amount).sum()


def _exponential(prediction: Tensor) -> Tensor:
    return full_precision(prediction).clamp(-_LOG_LIMIT, _LOG_LIMIT).exp()


class _Loss(NamedTuple):
    total: Callable[[Selected], Tensor]
    metres: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


_LOSSES = {
    "l1": _Loss(_l1, full_precision, full_precision),
    "log": _Loss(_log_l1, _exponential, torch.log),
    "scale_invariant": _Loss(_scale_invariant, _exponential, torch.log),
}


class Depth(Length):
    """Depth of each pixel in metres.

    With the loss ``l1`` the raw prediction is the depth itself. With ``log`` (L1 of log depths) and
    ``scale_invariant`` it is the logarithm of the depth, so that the depth is always positive. With
    d = prediction - log depth, the latter is sum d² / n - (sum d)² / (2 n²) for an image of n known pixels (Eigen et
    al., 2014, eq. 4); as a term it counts n.

    >>> task = Depth("depth", loss="log")
    >>> target = torch.full((1, 1, 2, 3), float("nan"))
    >>> target[..., 0] = 1.5
    >>> task.loss(task.invert(target.nan_to_num(9.0)), target)
    Term(total=tensor(0.), count=tensor(2.))

    Args:
        name: name of the task.
        loss: l1, log or scale_invariant.
        unit: metres per stored unit, of integers and floats alike: 0.01 for centimetres. Without it integers are
            millimetres and floats metres. Predictions are written in the same unit.
        invalid: stored values that stand for no reading, beside 0 and NaN: ``[65535]``, ``[-1]``, ``["inf"]``. Without
            it the largest value of a 16-bit file is refused; ``[]`` says that it is a measurement.
        maximum: largest depth in metres a label may have; beyond it the unit is probably wrong. Decided depths are
            clamped to it.
        cap: only labels up to so many metres are measured, and predictions are clamped to it: 80 for KITTI, 10 for
            NYU-v2 in many papers. Training uses all labels.
        typical: a typical depth in metres from which the network starts, the mean of the labels say; learning is faster
            with it. Also the middle of the colours of pictures.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "depth"
    target_type: ClassVar = DepthMap
    conventions = ("unit", "invalid", "orientation")
    unit = "m"
    error_unit = "m"
    near_is_large = False

    def __init__(
        self,
        name: str,
        *,
        loss: Literal["l1", "log", "scale_invariant"] = "l1",
        unit: Positive | None = None,
        invalid: list[float | str] | None = None,
        maximum: Positive = 1000.0,
        cap: Positive | None = None,
        typical: Positive | None = None,
        orientation: Orientation = "auto",
    ) -> None:
        if loss not in _LOSSES:
            raise ValueError(f"loss is {loss!r}: choose one of {', '.join(_LOSSES)}")
        for option, value in {"unit": unit, "maximum": maximum, "typical": typical, "cap": cap}.items():
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{option} is {value}: give a positive number of metres")
        self.name = name
        self.channels = 1
        self.file_unit = unit
        self.scale = unit or UNIT
        self.invalid = marks_of(invalid)
        self.cap = cap
        self.orientation = orientation
        self.maximum = maximum
        self.typical = typical
        self._loss = _LOSSES[loss]
        self.initial = 0.0 if typical is None else float(self._loss.inverse(torch.tensor(typical)))

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        return Term(self._loss.total(known), self.count(target, weight))

    def made_loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        """Free of scale, and with matched gradients: see :func:`~crosstask.tasks.scale_free.scale_free`."""
        known = select(prediction, target, self.known(target), weight)
        total = scale_free(self.activate(known.prediction).clamp(min=FLOOR), known.target, known.weight)
        return Term(total, self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return self._loss.metres(prediction)

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction).clamp(FLOOR, self.maximum)

    @override
    def invert(self, values: Tensor) -> Tensor:
        return self._loss.inverse(values)

    @override
    def metric(self) -> DepthMetric:
        return DepthMetric(self.decide, self.cap)

    @override
    def check(self, target: Tensor) -> None:
        super().check(target)
        _, highest = extremes(target.as_subclass(Tensor).numpy())
        if highest > self.maximum:
            unit = self.file_unit or f"{UNIT:g} metres per stored integer, floats in metres"
            raise ValueError(
                f"depth reaches {highest:.4g} m, more than {self.maximum:g}: is the unit right (unit: {unit})? If it "
                "stands for no reading, set invalid to what the file holds there; else raise maximum"
            )

    @override
    def parse(self, cell: np.ndarray | str) -> DepthMap:
        return as_target(DepthMap, quantity(cell, self.kind, self.file_unit, UNIT, 0, self.invalid))

    def encode(self, value: Tensor) -> np.ndarray:
        """Depth in units (millimetres by default), uint16 (H, W), 0 unknown; float32, NaN unknown, where that cannot
        hold the values or is too coarse for them."""
        return stored(value.as_subclass(Tensor)[0].cpu().numpy(), self.file_unit, UNIT)
