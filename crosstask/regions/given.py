"""Regions from labels somebody else made: instance or panoptic ids, class maps, masks of another tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from crosstask.regions.provider import Provider, as_array
from crosstask.tasks.files import looked_up, remap_table, whole

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Given(Provider):
    """Pixels with the same label, and touching each other, are one region.

    Args:
        column: the table column that names the label files: one whole number per pixel (of any type, as for the task
            ``segmentation``), or a colour per region.
        none: the label of pixels that belong to no region; negative labels do neither. In colour files the colour
            R + 256 G + 65536 B.
        remap: label of each id in the files, where several are one; ids that are not listed belong to no region.
        connected: split a label into its connected parts (8 neighbours): two sofas of a class map are two regions.
    """

    name: ClassVar[str] = "given"
    reads: ClassVar[Literal["image", "label"]] = "label"
    library: ClassVar[str] = "scikit-image"

    column: str
    none: int = 255
    remap: dict[int, int] | None = None
    connected: bool = True

    def __post_init__(self) -> None:
        self._require(self.remap is None or bool(self.remap), "remap", "the label of at least one id")
        self._require(all(key >= 0 for key in self.remap or ()), "remap", "ids of the files, 0 or more")

    @property
    @override
    def source(self) -> str:
        return self.column

    @override
    def parameters(self) -> dict[str, Any]:
        options = super().parameters()
        remap = options.pop("remap")
        return options if remap is None else options | {"remap": {str(key): value for key, value in remap.items()}}

    def __call__(self, image: np.ndarray | Tensor) -> np.ndarray:
        """Region ids, int32 (H, W), of a label map (H, W) of integers or (H, W, 3) of 8-bit colours."""
        return self.segment(as_array(image)).astype(np.int32)

    @override
    def segment(self, image: np.ndarray) -> np.ndarray:
        from skimage.measure import label

        labels = _integers(image, colours=self.remap is None)
        if self.remap is None:
            known = (labels != self.none) & (labels >= 0)
        else:
            labels = looked_up(labels, remap_table(self.remap))
            known = labels >= 0
        values, dense = np.unique(labels[known], return_inverse=True)
        ids = np.full(labels.shape, -1, dtype=np.int64)
        ids[known] = dense.ravel()
        return label(ids, background=-1, connectivity=2).astype(np.int64) - 1 if self.connected and values.size else ids


def _integers(labels: np.ndarray, colours: bool) -> np.ndarray:
    if colours and labels.ndim == 3 and labels.shape[2] == 3 and labels.dtype == np.uint8:
        return labels.astype(np.int64) @ np.array([1, 256, 65536])
    return whole(labels, "region")
