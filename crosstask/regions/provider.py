"""What every source of regions provides: an image goes in, an id per pixel comes out."""

from __future__ import annotations

import abc
import dataclasses
import functools
import importlib.metadata
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from crosstask.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Provider(abc.ABC):
    """Cuts an image into regions. Subclasses are frozen dataclasses whose fields are their parameters.

    Attributes:
        name: the word a command or a recipe uses for this provider.
        reads: whether it works on images or on label files.
        library: the distribution that does the work; its version is kept beside every result.
        processes: whether several worker processes pay off (not for a network that fills the machine by itself).
    """

    name: ClassVar[str]
    reads: ClassVar[Literal["image", "label"]] = "image"
    library: ClassVar[str]
    processes: ClassVar[bool] = True

    def __call__(self, image: np.ndarray | Tensor) -> np.ndarray:
        """Region ids of one image: int32 (H, W), -1 where there is no region.

        Args:
            image: float RGB in [0, 1], (3, H, W), or 8-bit RGB, (H, W, 3). The two give the same ids.
        """
        return np.ascontiguousarray(self.segment(as_rgb(image)), dtype=np.int32)

    @abc.abstractmethod
    def segment(self, image: np.ndarray) -> np.ndarray:
        """Integer ids (H, W), -1 none, of an 8-bit RGB image (H, W, 3)."""

    @property
    def source(self) -> str:
        """The table column that names the files this provider works on."""
        return "image"

    def parameters(self) -> dict[str, Any]:
        """What decides about the result, as JSON values."""
        return dataclasses.asdict(self)

    def version(self) -> str:
        """Name and version of the library that does the work."""
        return f"{self.library} {_version(self.library)}"

    def _require(self, valid: bool, parameter: str, wanted: str) -> None:
        if not valid:
            found = getattr(self, parameter)
            raise RecipeError(f"regions by {self.name}: {parameter} is {found!r}: give {wanted}")


_version = functools.cache(importlib.metadata.version)


def as_array(image: np.ndarray | Tensor) -> np.ndarray:
    """A tensor on any device, or whatever numpy takes, as an array."""
    return image.numpy(force=True) if hasattr(image, "numpy") else np.asarray(image)


def as_rgb(image: np.ndarray | Tensor) -> np.ndarray:
    """Float RGB (3, H, W) in [0, 1] or 8-bit RGB (H, W, 3) as 8-bit RGB (H, W, 3).

    Raises:
        ValueError: neither of the two.
    """
    array = as_array(image)
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8:
        return array
    if array.ndim == 3 and array.shape[0] == 3 and array.dtype.kind == "f":
        return np.ascontiguousarray(np.rint(array.transpose(1, 2, 0) * 255).clip(0, 255).astype(np.uint8))
    raise ValueError(f"regions need float RGB (3, H, W) or uint8 RGB (H, W, 3), found {array.dtype} {array.shape}")
