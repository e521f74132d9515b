"""Regions from labels somebody else made: instance or panoptic ids, class maps, masks of another tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from crosstask.regions.provider import Provider, as_array

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Given(Provider):
    """Pixels with the same label, and touching each other, are one region.

    Args:
        column: the table column that names the label files: one integer per pixel, or a colour per region.
        none: the label of pixels that belong to no region; negative labels do neither. In colour files the colour
            R + 256 G + 65536 B.
        connected: split a label into its connected parts (8 neighbours): two sofas of a class map are two regions.
    """

    name: ClassVar[str] = "given"
    reads: ClassVar[Literal["image", "label"]] = "label"
    library: ClassVar[str] = "scikit-image"

    column: str
    none: int = 255
    connected: bool = True

    @property
    def source(self) -> str:
        return self.column

    def __call__(self, image: np.ndarray | Tensor) -> np.ndarray:
        """Region ids, int32 (H, W), of a label map (H, W) of integers or (H, W, 3) of 8-bit colours."""
        return self.segment(as_array(image)).astype(np.int32)

    def segment(self, image: np.ndarray) -> np.ndarray:
        from skimage.measure import label

        labels = _integers(image)
        known = (labels != self.none) & (labels >= 0)
        values, dense = np.unique(labels[known], return_inverse=True)
        ids = np.full(labels.shape, -1, dtype=np.int64)
        ids[known] = dense.ravel()
        return label(ids, background=-1, connectivity=2).astype(np.int64) - 1 if self.connected and values.size else ids


def _integers(labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 3 and labels.shape[2] == 3 and labels.dtype == np.uint8:
        return labels.astype(np.int64) @ np.array([1, 256, 65536])
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"holds {labels.dtype} {labels.shape}: given regions are one integer per pixel, or an 8-bit colour"
        )
    return labels.astype(np.int64)
