"""Label files beside the images they belong to: turned as these, and weights as numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from crosstask.data.decode.files import load_label, load_numbers, orientation
from crosstask.data.decode.turning import turned
from crosstask.errors import DataError
from crosstask.remote import shown

Read = Callable[..., np.ndarray]
"""Called with a path, and perhaps ``upright``."""


def load_beside(
    path: Path, image: Path, size: tuple[int, int], convention: str = "auto", read: Read = load_numbers
) -> np.ndarray:
    """A label file, as it lies over the image as it is seen.

    Cameras store pictures sideways and say so in a tag (EXIF). The image is turned; its label may have been drawn on
    the image as it is seen or as it is stored, and may have the tag too.

    Args:
        path: the label.
        image: its image.
        size: height and width of the image as it is seen.
        convention: "upright": the label is as the image is seen. "stored": it is as the pixels of the image are stored,
            and turned with it. "auto": its own tag says, or else its size; where both fit it is upright.
        read: what reads the label.

    Raises:
        DataError: a file is missing or broken, or the label of an image that is turned fits it neither way.
    """
    label = read(path)
    if convention == "stored":
        turn = orientation(image)
        return turned(read(path, upright=False), turn)
    if _fits(label, size):
        return label
    plain = read(path, upright=False)
    if convention == "upright":
        return plain if _fits(plain, size) else label
    if _fits(plain, size):
        return plain
    turn = orientation(image)
    beside = turned(plain, turn)
    if turn != 1 and not _fits(beside, size):
        height, width = plain.shape[:2]
        raise DataError(
            f"{shown(path)}: is {height}x{width} (height x width), and its image is turned by EXIF "
            f"(orientation {turn}) to {size[0]}x{size[1]}: "
            "neither as stored nor turned does it fit: export it again from the turned image"
        )
    return beside if turn != 1 else label


def ambiguous(path: Path, image: Path) -> int:
    """How EXIF turns an image whose label fits it turned and unturned, and has no tag of its own; 1 for others."""
    turn = orientation(image)
    if turn == 1 or orientation(path) != 1:
        return 1
    shape = load_label(path, upright=False).shape[:2]
    return turn if turn < 5 or shape[0] == shape[1] else 1


def weights_of(stored: np.ndarray) -> np.ndarray:
    """Weights as numbers: 8 and 16-bit values over the largest possible; masks of 0 and 1, and floats, as they are."""
    if stored.ndim == 3 and 1 in (stored.shape[0], stored.shape[-1]):
        stored = stored[0] if stored.shape[0] == 1 else stored[..., 0]
    scale = np.iinfo(stored.dtype).max if stored.dtype.kind == "u" and stored.max(initial=0) > 1 else 1
    return stored.astype(np.float32) / np.float32(scale)


def _fits(label: np.ndarray, size: tuple[int, int]) -> bool:
    return size in (label.shape[:2], label.shape[-2:])
