"""What float maps of labels have in common."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from crosstask.tasks.targets import Map, smooth_resize


class FloatMap(Map):
    """A map (..., C, H, W) of floats; a pixel is unknown where any of its channels is NaN."""

    def known(self) -> Tensor:
        """Boolean mask (..., H, W)."""
        return ~self.as_subclass(Tensor).isnan().any(-3)


class SmoothMap(FloatMap):
    """A float map that is resampled bilinearly; pixels that touch an unknown one become unknown."""

    @override
    def resized(self, size: tuple[int, int]) -> Tensor:
        plain = self.as_subclass(Tensor)
        return smooth_resize(plain.reshape(-1, *plain.shape[-2:]), size).reshape(*plain.shape[:-2], *size)
