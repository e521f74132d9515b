"""What depth and disparity have in common: one positive number per pixel, of which ratios matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Task
from crosstask.tasks.files import extremes
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.pictures import fitted, measured, measured_legend, percentiles
from crosstask.tasks.targets import as_target

FLOOR = 1e-3
"""Smallest depth that is ever decided on, metres."""


class Length(Task):
    """A task with targets (1, H, W).

    Attributes:
        near_is_large: whether what is near has the larger number; the near is bright in pictures.
        maximum: largest value a label may have.
    """

    near_is_large: ClassVar[bool]
    maximum: float = math.inf

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.plane(fusion.lengths(views, self.maximum))

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.lengths(views[:, 0])

    @override
    def zoomed(self, prediction: Tensor, factor: float) -> Tensor:
        values = as_target(self.target_type, self.activate(prediction))
        return self.invert(values.zoomed(factor).as_subclass(Tensor))

    def embed(self, prediction: Tensor) -> Tensor:
        """Values over the largest of the image, (B, 1, H, W), in (0, 1]; clamped first, as they are when decided."""
        return relative(self.decide(prediction))

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return relative(target.nan_to_num(0))

    @override
    def check(self, target: Tensor) -> None:
        if target.ndim != 3 or target.shape[0] != 1 or not target.is_floating_point():
            raise ValueError(f"a {self.kind} target is float (1, H, W), found {target.dtype} {tuple(target.shape)}")
        values = target.as_subclass(Tensor).numpy()
        lowest, highest = extremes(values)
        if lowest <= 0 or highest == math.inf:
            wrong = values[(values <= 0) | np.isinf(values)]
            raise ValueError(
                f"{self.kind} is {float(wrong[0]):.4g} at {len(wrong)} pixels: mark unknown pixels with NaN"
            )

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(measured(value, within, near_bright=not self.near_is_large), size)

    @override
    def range_of(self, values: Sequence[Tensor]) -> Range | None:
        return percentiles([value.as_subclass(Tensor) for value in values])

    @override
    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        return measured_legend(values, within, self.unit, near_bright=not self.near_is_large)

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return 1, *size


def relative(values: Tensor) -> Tensor:
    """Maps (B, 1, H, W) over the maximum of each image."""
    return values / values.amax((1, 2, 3), keepdim=True).clamp(min=FLOOR)
