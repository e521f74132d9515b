"""Pictures and arrays as float RGB."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from crosstask.data.decode.turning import ORIENTATION

_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def rgb_of_picture(image: Image.Image) -> Tensor:
    """A PIL image, turned as its camera says, as float RGB (3, H, W) in [0, 1].

    Raises:
        ValueError: it has no pixels, or its values are not those of an image.
    """
    _require_pixels((image.height, image.width))
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in _DEEP:  # more than 8 bits, which convert() would clip
        held = pixels(image)
        return rgb(held.astype(np.uint16) if image.format == "PPM" and image.mode == "I" else held)
    colours = torch.from_numpy(pixels(image if image.mode == "RGB" else image.convert("RGB")))
    return colours.permute(2, 0, 1).contiguous().float().div_(255)


def rgb(array: np.ndarray) -> Tensor:
    """An array (H, W), (H, W, C) or (C, H, W) as float RGB (3, H, W) in [0, 1].

    Raises:
        ValueError: it is not an image.
    """
    size = plane_size(array.shape)
    _require_pixels(size)
    planes = array[None] if array.ndim == 2 else array if array.shape[1:] == size else array.transpose(2, 0, 1)
    if planes.shape[0] not in (1, 3, 4):
        raise ValueError(f"an image has 1, 3 or 4 channels, found {planes.shape[0]} in shape {array.shape}")
    planes = planes[:3] if len(planes) > 1 else planes.repeat(3, axis=0)
    if planes.dtype in (np.uint8, np.uint16):
        return torch.from_numpy(planes.astype(np.float32, order="C") / np.float32(np.iinfo(planes.dtype).max))
    if planes.dtype.kind != "f":
        raise ValueError(f"an image of {planes.dtype} values: store 8 or 16-bit values or floats in [0, 1]")
    if not np.isfinite(planes).all():
        unknown = int((~np.isfinite(planes)).any(0).sum())
        raise ValueError(f"{unknown} pixels are NaN or infinite: an image is known everywhere")
    if planes.min() < 0 or planes.max() > 1:
        raise ValueError(f"a float image is in [0, 1], found values from {planes.min():g} to {planes.max():g}")
    return torch.from_numpy(planes.astype(np.float32, order="C"))


def pixels(image: Image.Image) -> np.ndarray:
    """The pixels as a writable array in native byte order; 1-bit ones as 0 and 1."""
    array = np.array(image)
    return array.astype(np.uint8 if array.dtype == bool else array.dtype.newbyteorder("="), copy=False)


def plane_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an array (H, W), (H, W, C) or (C, H, W), C at most 4."""
    if len(shape) == 3 and shape[0] <= 4 < shape[2]:
        return shape[1], shape[2]
    if len(shape) not in (2, 3):
        raise ValueError(f"an array of shape {shape} is not (H, W), (H, W, C) or (C, H, W)")
    return shape[0], shape[1]


def _require_pixels(size: tuple[int, int]) -> None:
    if 0 in size:
        raise ValueError(f"an image of {size[0]}x{size[1]} (height x width) has no pixels")
