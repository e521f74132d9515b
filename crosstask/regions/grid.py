"""Regions that know nothing of the image: square patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from crosstask.ranges import Size
from crosstask.regions.provider import Provider


@dataclass(frozen=True)
class Grid(Provider):
    """Square patches, numbered row by row; those at the right and lower border may be smaller.

    Args:
        patch: side of a patch in pixels.
    """

    name: ClassVar[str] = "grid"
    library: ClassVar[str] = "numpy"

    patch: Size = 32

    def __post_init__(self) -> None:
        self._require(self.patch >= 1, "patch", "at least 1 pixel")

    @override
    def segment(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        per_row = -(-width // self.patch)
        return np.arange(height)[:, None] // self.patch * per_row + np.arange(width) // self.patch
