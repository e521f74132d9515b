"""Superpixels from scikit-image: no weights, nothing to download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image
from typing_extensions import override

from crosstask.ranges import Count, Factor, Iterated, Size, Steps
from crosstask.regions.provider import Provider


@dataclass(frozen=True)
class Slic(Provider):
    """SLIC: k-means over colour (CIELAB) and place; compact connected regions of about equal size.

    Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", TPAMI 2012.

    Args:
        segments: about how many regions an image is cut into.
        compactness: how much place counts against colour; higher gives squarer regions.
        iterations: rounds of k-means; more than 5 hardly move a border.
        sigma: width of the Gaussian blur before, in pixels; 0 for none.
    """

    name: ClassVar[str] = "slic"
    library: ClassVar[str] = "scikit-image"

    segments: Steps = 100
    compactness: Factor = 20.0
    iterations: Iterated = 5
    sigma: Factor = 0.0

    def __post_init__(self) -> None:
        self._require(self.segments >= 1, "segments", "at least 1")
        self._require(self.compactness > 0, "compactness", "a number above 0")
        self._require(self.iterations >= 1, "iterations", "at least 1")
        self._require(self.sigma >= 0, "sigma", "a number of pixels, 0 for no blur")

    @override
    def segment(self, image: np.ndarray) -> np.ndarray:
        from skimage.segmentation import slic

        return slic(
            image.astype(np.float32) / 255,
            n_segments=self.segments,
            compactness=self.compactness,
            max_num_iter=self.iterations,
            sigma=self.sigma,
            start_label=0,
        )


@dataclass(frozen=True)
class Felzenszwalb(Provider):
    """Graph-based segmentation: regions of any size and shape, few where the image is plain.

    Felzenszwalb and Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004.

    Args:
        scale: how different neighbours must be to stay apart; higher gives larger regions.
        sigma: width of the Gaussian blur before, in pixels; 0 for none.
        min_size: smaller regions are merged into a neighbour, in pixels (about, with ``reduce``).
        reduce: the image is shrunk by this whole factor before, and the regions enlarged again: faster by about its
            square, with borders that keep to pixels of that size. ``sigma`` and ``min_size`` speak of the full image.
    """

    name: ClassVar[str] = "felzenszwalb"
    library: ClassVar[str] = "scikit-image"

    scale: Factor = 100.0
    sigma: Factor = 0.8
    min_size: Count = 50
    reduce: Size = 2

    def __post_init__(self) -> None:
        self._require(self.scale > 0, "scale", "a number above 0")
        self._require(self.sigma >= 0, "sigma", "a number of pixels, 0 for no blur")
        self._require(self.min_size >= 1, "min_size", "at least 1 pixel")
        self._require(self.reduce >= 1, "reduce", "a whole factor, 1 for none")

    @override
    def segment(self, image: np.ndarray) -> np.ndarray:
        from skimage.segmentation import felzenszwalb

        ids = felzenszwalb(
            np.asarray(Image.fromarray(image).reduce(self.reduce)),
            scale=self.scale,
            sigma=self.sigma / self.reduce,
            min_size=max(round(self.min_size / self.reduce**2), 1),
        )
        height, width = image.shape[:2]
        return ids.repeat(self.reduce, axis=0).repeat(self.reduce, axis=1)[:height, :width]
