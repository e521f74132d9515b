"""Disparity, or inverse depth up to a constant factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Positive
from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Orientation, Task
from crosstask.tasks.depth import check_quantity, relative
from crosstask.tasks.files import marks_of, quantity, stored
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.maps import FloatMap
from crosstask.tasks.metrics.distance import ErrorMetric
from crosstask.tasks.pictures import fitted, measured, measured_legend, percentiles
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


class Disparity(Task):
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
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.plane(fusion.lengths(views))

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.lengths(views[:, 0])

    def embed(self, prediction: Tensor) -> Tensor:
        """Disparity over the largest of the image, (B, 1, H, W), in [0, 1]; clamped first, as it is when decided."""
        return relative(self.decide(prediction))

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return relative(target.nan_to_num(0))

    @override
    def metric(self) -> ErrorMetric:
        return ErrorMetric(self.decide)

    @override
    def check(self, target: Tensor) -> None:
        check_quantity(target, self.kind)

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(measured(value, within, near_bright=False), size)

    @override
    def range_of(self, values: Sequence[Tensor]) -> Range | None:
        return percentiles([value.as_subclass(Tensor) for value in values])

    @override
    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        return measured_legend(values, within, self.unit, near_bright=False)

    @override
    def parse(self, cell: np.ndarray | str) -> DisparityMap:
        return as_target(DisparityMap, quantity(cell, self.kind, self.file_unit, UNIT, self.offset, self.invalid))

    def encode(self, value: Tensor) -> np.ndarray:
        """Disparity in units (1/256 pixel by default) plus the offset, uint16 (H, W), 0 unknown; float32 where that
        cannot hold the values or is too coarse for them."""
        return stored(value.as_subclass(Tensor)[0].cpu().numpy(), self.file_unit, UNIT, self.offset)

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return 1, *size
