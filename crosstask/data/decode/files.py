"""Files to arrays: images as float RGB, labels as they were stored. Nothing is executed, nothing huge is decoded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torchvision import tv_tensors

from crosstask.data.decode.arrays import array_shape, is_array, load_array
from crosstask.data.decode.lossy import lossy
from crosstask.data.decode.reporting import reporting
from crosstask.data.decode.rgb import pixels, plane_size, rgb, rgb_of_picture
from crosstask.data.decode.turning import turn_of, turned
from crosstask.errors import DataError
from crosstask.regions.stored import OFFSET, read_regions
from crosstask.remote import shown
from crosstask.remote.members import source
from crosstask.tasks.base import Task
from crosstask.tasks.targets import Regions, as_target

PIXEL_LIMIT = 2**26
"""The most pixels an image or a label may have (8192 x 8192); a header that promises more is refused unread."""
_VALUE_LIMIT = 4 * PIXEL_LIMIT
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000")
_COLOUR: dict[str, Any] = {"RGB": np.s_[:], "RGBA": np.s_[..., :3], "LA": np.s_[..., 0], "PA": np.s_[..., 0]}
_GREY = ("1", "L", "P", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_PALETTE = ("P", "PA")
_VOID = 255
_SUBFILE, _BESIDE = 254, 0b101
"""The tag of a TIFF that says what a page is, and what it says of reduced copies and of masks of another."""


def load_image(path: Path) -> tv_tensors.Image:
    """An image file as float RGB in [0, 1], (3, H, W).

    Grey, palette, CMYK and 16-bit images are converted, transparency is dropped and the camera's orientation (EXIF) is
    applied. Arrays (``.npy``, ``.npz``) are (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4, and hold 8 or 16-bit
    values or floats in [0, 1].

    Raises:
        DataError: the file is missing, broken, too large or not an image.
    """
    with reporting(path):
        if is_array(path):
            return tv_tensors.Image(rgb(load_array(path, _VALUE_LIMIT)))
        with _open(path) as image:
            return tv_tensors.Image(rgb_of_picture(image))


def load_label(path: Path, upright: bool = True, colours: bool = False) -> np.ndarray:
    """A label file as it was stored: (H, W) or (H, W, 3) for pictures, any shape for arrays.

    Palette pictures give their indices, grey ones of 1, 2 and 4 bits and PGM of any maximum the numbers they hold;
    16-bit values keep all their bits. An alpha channel that is the same everywhere is dropped.

    Args:
        path: the file.
        upright: apply the orientation (EXIF) the label itself has, as it is to images; otherwise as it is stored.
        colours: palette pictures give their colours.

    Raises:
        DataError: the file is missing, broken, too large or of a kind that holds no labels, or its alpha channel holds
            something.
    """
    return _label(path, upright, _colours if colours else None)


def load_numbers(path: Path, upright: bool = True) -> np.ndarray:
    """A map of numbers: as :func:`load_label`, but palette pictures give the grey they show.

    Programs that save in few colours number these as they like, white first say. Of a palette in colours the index is
    read where it is that of a mask: 0, which is black, 1, and 255 for unknown.

    Raises:
        DataError: see there, or a palette shows colours, which are no numbers.
    """
    return _label(path, upright, _numbers)


def _label(path: Path, upright: bool, seen: Callable[[np.ndarray, np.ndarray], np.ndarray] | None) -> np.ndarray:
    """A label; ``seen`` makes one of the indices of a palette picture and its colours."""
    with reporting(path):
        if is_array(path):
            return load_array(path, _VALUE_LIMIT)
        with _open(path) as image:
            pages = _pages(image)
            if pages > 1:
                raise ValueError(f"it holds {pages} pages, a label is one: save the right one as a file of its own")
            step, deep = _step(image), _is_deep_colour(image)  # known until the file is read on
            turn = turn_of(image, path) if upright else 1
            held = _stored(path, image, step, deep)
            if seen is not None and image.mode in _PALETTE:
                held = seen(held, pixels(image.convert("RGB")))
            return turned(held, turn)


def _colours(indices: np.ndarray, colours: np.ndarray) -> np.ndarray:
    return colours


def _numbers(indices: np.ndarray, colours: np.ndarray) -> np.ndarray:
    if (colours == colours[..., :1]).all():
        return colours[..., 0].copy()
    if np.isin(indices, (0, 1, _VOID)).all() and not colours[indices == 0].any():
        return indices
    raise ValueError(
        "its palette shows colours, which are no numbers: save it as a grey picture (where its indices are levels of "
        "saliency, say in remap what each is)"
    )


def _stored(path: Path, image: Image.Image, step: float, deep: bool) -> np.ndarray:
    if image.mode in _GREY:
        held = pixels(image)
        return held if step == 1 else np.rint(held / step).astype(held.dtype)
    if image.mode not in _COLOUR:
        raise ValueError(f"its pixels are {image.mode}: store labels as grey, palette or RGB")
    held = _deep_colour(path) if deep else pixels(image)
    if image.mode != "RGB" and held[..., -1].min() != held[..., -1].max():
        alpha = held[..., -1]
        raise ValueError(
            f"its alpha channel holds {alpha.min()} to {alpha.max()}, and labels are read from grey or colours: save "
            "the channel that holds the label as a grey picture (alpha: Image.open(path).getchannel('A').save(path))"
        )
    return held[_COLOUR[image.mode]]


def orientation(path: Path) -> int:
    """How EXIF turns a picture, 1 (not at all) to 8.

    Raises:
        DataError: the file is missing or no picture.
    """
    if is_array(path):
        return 1
    with reporting(path), _open(path) as image:
        return turn_of(image, path)


class Unused(NamedTuple):
    """What of an image file is not used.

    Attributes:
        band: whether it has a band beside three colours that says something.
        pages: how many pages follow the first.
    """

    band: bool = False
    pages: int = 0


def unused(path: Path) -> Unused:
    """What of an image file :func:`load_image` leaves out.

    Raises:
        DataError: the file is missing, broken or too large.
    """
    with reporting(path):
        if is_array(path):
            shape = load_array(path, _VALUE_LIMIT).shape
            return Unused(band=len(shape) == 3 and 4 in shape[::2])
        with _open(path) as image:
            more = _pages(image) - 1
            if image.mode not in ("RGBA", "LA", "PA"):
                return Unused(pages=more)
            lowest, highest = image.getchannel("A").getextrema()
            return Unused(lowest != highest, more)


def _pages(image: Image.Image) -> int:
    """How many pages a picture has, without smaller copies and masks of them, and what phones add to a photo."""
    count: int = getattr(image, "n_frames", 1)
    if count == 1 or image.format == "MPO":
        return 1
    if image.format != "TIFF":
        return count
    kinds = []
    for page in range(count):
        image.seek(page)
        kinds.append(image.tag_v2.get(_SUBFILE, 0))  # type: ignore[attr-defined]
    image.seek(0)
    return sum(not kind & _BESIDE for kind in kinds)


def palette(path: Path) -> np.ndarray | None:
    """The colours (n, 3) of a palette picture by index; None for other files."""
    if is_array(path):
        return None
    with reporting(path), _open(path) as image:
        colours = image.getpalette("RGB") if image.mode in _PALETTE else None
    return None if colours is None else np.array(colours, np.uint8).reshape(-1, 3)


def load_classes(path: Path, upright: bool = True, colours: bool = False) -> np.ndarray:
    """A class map: as :func:`load_label`, from files that keep every id.

    JPEG and its like blur ids into their neighbours: of a map of 20 classes about a third of the pixels change.

    Raises:
        DataError: see there, or the file was coded with a loss.
    """
    with reporting(path):
        kind = lossy(path)
        if kind:
            raise ValueError(f"is a {kind}, which changes class ids: take the lossless original (PNG)")
    return load_label(path, upright, colours)


def loader_of(task: Task) -> Callable[..., np.ndarray]:
    """What reads the label files of a dense task: ids, colours, numbers, or levels that the task names."""
    if getattr(task, "colours", None) is not None:
        return partial(load_classes, colours=True)
    if task.classes:
        return load_classes
    return load_numbers if task.channels == 1 and getattr(task, "remap", None) is None else load_label


def load_regions(path: Path) -> Regions:
    """A file of region ids (PNG or an integer array; id + 1, 0 none) as int32 (H, W), -1 none.

    Raises:
        DataError: the file is missing, broken, or not one integer per pixel.
    """
    if not is_array(path):
        return read_regions(path)
    stored = load_label(path)
    if stored.ndim != 2 or stored.dtype.kind not in "iu":
        raise DataError(
            f"{shown(path)}: holds {stored.dtype} {stored.shape}: regions are one integer per pixel (id + 1, 0 none)"
        )
    return as_target(Regions, stored.astype(np.int32) - OFFSET)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image or a label, the camera's orientation applied; pictures are not decoded.

    Raises:
        DataError: the file is missing, too large or has no readable header.
    """
    with reporting(path):
        if is_array(path):
            shape = array_shape(path) if path.suffix.lower() == ".npy" else load_array(path, _VALUE_LIMIT).shape
            return plane_size(shape)
        with _open(path) as image:
            return (image.width, image.height) if turn_of(image, path) >= 5 else (image.height, image.width)


def _open(path: Path) -> Image.Image:
    image = Image.open(source(path), formats=FORMATS)
    if image.width * image.height > PIXEL_LIMIT:
        image.close()
        raise ValueError(
            f"its header promises {image.width}x{image.height} pixels, more than the {PIXEL_LIMIT} allowed"
        )
    return image


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits, and of several channels where it has colours."""
    return image.format == "PNG" and any("16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _deep_colour(path: Path) -> np.ndarray:
    """The pixels of such a PNG, uint16. Pillow keeps 8 bits: the high ones, and of swapped bytes the low ones."""
    halves = []
    for order in ("16B", "16L"):
        with _open(path) as image:
            tile = image.tile[0]  # type: ignore[attr-defined]
            image.tile = [tile._replace(args=tile.args.replace("16B", order))]  # type: ignore[attr-defined]
            halves.append(np.array(image, dtype=np.uint16))
    return halves[0] << 8 | halves[1]


def _step(image: Image.Image) -> float:
    """What one is in the pixels of a grey picture: Pillow spreads 2 and 4 bits over 0 to 255, and what is below the
    maximum that a PGM names over 0 to 255 or 65535."""
    tile = getattr(image, "tile", None)
    if not tile:
        return 1
    mode = tile[0].args
    if tile[0].codec_name in ("ppm", "ppm_plain") and isinstance(mode, tuple):
        return (65535 if image.mode == "I" else 255) / mode[1]
    mode = mode[0] if isinstance(mode, tuple) and mode else mode
    return {"L;2": 85, "L;4": 17}.get(str(mode), 1)
