"""Disparity, or inverse depth up to a constant factor."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Positive
from crosstask.tasks.base import Orientation
from crosstask.tasks.files import marks_of, quantity, stored
from crosstask.tasks.length import Length
from crosstask.tasks.maps import FloatMap
from crosstask.tasks.metrics.distance import ErrorMetric
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term

UNIT = 1 / 256
"""Pixels per stored integer, unless a recipe says otherwise."""


class DisparityMap(FloatMap):
    """Disparity, float32 (1, H, W) in pixels of the stored image, NaN unknown.

    It stands for inverse depth: a mere resize leaves it as it is.

    >>> as_target(DisparityMap, [[[12.0, float("nan")]]]).known()
    tensor([[ True, False]])
    """

    @override
    def zoomed(self, factor: float) -> Tensor:
        return self.as_subclass(Tensor) * factor


class Disparity(Length):
    """Disparity of each pixel, in pixels of the stored image; L1. The raw prediction is the disparity itself.

    >>> task = Disparity("disparity")
    >>> task.parse(np.array([[0, 256]], np.uint16)).tolist()  # 0 is unknown, 256 is one pixel
    [[[nan, 1.0]]]

    Args:
        name: name of the task.
        unit: disparity per stored unit, of integers and floats alike. Without it integers are 1/256 pixel and floats
            pixels. Predictions are written in the same unit.
        offset: what is subtracted from stored integers first, 1 for the files of Cityscapes; 0 is unknown in any case.
        invalid: stored values that stand for no match, beside 0 and NaN; see :class:`~crosstask.tasks.depth.Depth`.
        typical: a typical disparity from which the network starts, the mean of the labels say. Also the middle of the
            colours of pictures.

    Raises:
        ValueError: an option is not positive, or the offset negative.
    """

    kind = "disparity"
    target_type: ClassVar = DisparityMap
    conventions = ("unit", "offset", "invalid", "orientation")
    unit = "px"
    error_unit = "px"
    near_is_large = True

    def __init__(
        self,
        name: str,
        *,
        unit: Positive | None = None,
        offset: int = 0,
        invalid: list[float | str] | None = None,
        typical: Positive | None = None,
        orientation: Orientation = "auto",
    ) -> None:
        for option, value in {"unit": unit, "typical": typical}.items():
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{option} is {value}: give a positive number")
        if not 0 <= offset < 2**15:
            raise ValueError(f"offset is {offset}: give what is subtracted from stored integers, 0 or more")
        self.name = name
        self.channels = 1
        self.file_unit = unit
        self.scale = unit or UNIT
        self.invalid = marks_of(invalid)
        self.orientation = orientation
        self.offset = offset
        self.typical = typical
        self.initial = typical or 0.0

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        errors = (known.prediction - known.target).abs() * known.weight.unsqueeze(1)
        return Term(errors.sum(), self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction)

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction).clamp(min=self.scale)

    @override
    def metric(self) -> ErrorMetric:
        return ErrorMetric(self.decide)

    @override
    def parse(self, cell: np.ndarray | str) -> DisparityMap:
        return as_target(DisparityMap, quantity(cell, self.kind, self.file_unit, UNIT, self.offset, self.invalid))

    def encode(self, value: Tensor) -> np.ndarray:
        """Disparity in units (1/256 pixel by default) plus the offset, uint16 (H, W), 0 unknown; float32 where that
        cannot hold the values or is too coarse for them."""
        return stored(value.as_subclass(Tensor)[0].cpu().numpy(), self.file_unit, UNIT, self.offset)
