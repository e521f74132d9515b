"""Files to arrays: images as float RGB, labels as they were stored. Nothing is executed, nothing huge is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision import tv_tensors

from crosstask.data.decode.arrays import SUFFIXES, array_shape, load_array
from crosstask.errors import DataError
from crosstask.reading import regular
from crosstask.regions.stored import OFFSET, read_regions
from crosstask.remote import shown
from crosstask.remote.members import is_member, opened, source
from crosstask.tasks.base import Task
from crosstask.tasks.targets import Regions, as_target

PIXEL_LIMIT = 2**26
"""The most pixels an image or a label may have (8192 x 8192); a header that promises more is refused unread."""
_VALUE_LIMIT = 4 * PIXEL_LIMIT
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000")
_ORIENTATION = 0x0112
_COLOUR: dict[str, Any] = {"RGB": np.s_[:], "RGBA": np.s_[..., :3], "LA": np.s_[..., 0], "PA": np.s_[..., 0]}
_TURNS = range(2, 9)
_MAGIC = {
    b"\x76\x2f\x31\x01": "an OpenEXR", b"\x89HDF": "an HDF5", b"MATLAB": "a MATLAB", b"PK\x03\x04": "a ZIP",
    b"%PDF": "a PDF", b"8BPS": "a Photoshop", b"\x80\x04": "a pickle", b"DICM": "a DICOM", b"<svg": "an SVG",
}  # fmt: skip
_READ = "pictures (PNG, JPEG, TIFF, WebP, BMP, PPM, PGM, PFM, GIF, JPEG 2000) and NumPy arrays (.npy, .npz) are read"
_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pfm", ".gif"
)  # fmt: skip
_GREY = ("1", "L", "P", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def load_image(path: Path) -> tv_tensors.Image:
    """An image file as float RGB in [0, 1], (3, H, W).

    Grey, palette, CMYK and 16-bit images are converted, transparency is dropped and the camera's orientation (EXIF) is
    applied. Arrays (``.npy``, ``.npz``) are (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4, and hold 8 or 16-bit
    values or floats in [0, 1].

    Raises:
        DataError: the file is missing, broken, too large or not an image.
    """
    with _reporting(path):
        if _is_array(path):
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
    with _reporting(path):
        if _is_array(path):
            return load_array(path, _VALUE_LIMIT)
        with _open(path) as image:
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise ValueError(f"it holds {pages} pages, a label is one: save the right one as a file of its own")
            step, deep = _step(image), _is_deep_colour(image)  # known until the file is read on
            turn = _turn(image, path) if upright else 1
            if colours and image.mode == "P":
                return turned(_pixels(image.convert("RGB")), turn)
            return turned(_stored(path, image, step, deep), turn)


def _stored(path: Path, image: Image.Image, step: float, deep: bool) -> np.ndarray:
    if image.mode in _GREY:
        held = _pixels(image)
        return held if step == 1 else np.rint(held / step).astype(held.dtype)
    if image.mode not in _COLOUR:
        raise ValueError(f"its pixels are {image.mode}: store labels as grey, palette or RGB")
    held = _deep_colour(path) if deep else _pixels(image)
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
    if _is_array(path):
        return 1
    with _reporting(path), _open(path) as image:
        return _turn(image, path)


def _turn(image: Image.Image, path: Path) -> int:
    """How EXIF turns a picture, 1 to 8. Pillow decodes a PNG that does not say so before its pixels; here that is done
    only where something behind them may."""
    plain = image.format == "PNG" and "exif" not in image.info and not _says_more(path)
    exif = Image.Image.getexif(image) if plain else image.getexif()
    turn = exif.get(_ORIENTATION, 1)
    return turn if turn in _TURNS else 1


def _says_more(path: Path) -> bool:
    """Whether anything but the end follows the pixels of a PNG."""
    with opened(path) as file:
        file.seek(8)
        behind = False
        while len(head := file.read(8)) == 8:
            kind = head[4:]
            if behind and kind not in (b"IDAT", b"IEND"):
                return True
            behind |= kind == b"IDAT"
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def turned(array: np.ndarray, turn: int) -> np.ndarray:
    """An array (H, W) or (H, W, C) turned as EXIF turns a picture."""
    if turn not in _TURNS:
        return array
    if turn >= 5:
        array = array.swapaxes(0, 1)
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[turn]
    return np.ascontiguousarray(array[::rows, ::columns])


def more_bands(path: Path) -> bool:
    """Whether an image has a band beside three colours that says something: it is dropped."""
    with _reporting(path):
        if _is_array(path):
            return len(load_array(path, _VALUE_LIMIT).shape) == 3 and 4 in load_array(path, _VALUE_LIMIT).shape[::2]
        with _open(path) as image:
            if image.mode not in ("RGBA", "LA", "PA"):
                return False
            alpha = image.getchannel("A").getextrema()
            return alpha[0] != alpha[1]


def palette(path: Path) -> np.ndarray | None:
    """The colours (n, 3) of a palette picture by index; None for other files."""
    if _is_array(path):
        return None
    with _reporting(path), _open(path) as image:
        colours = image.getpalette("RGB") if image.mode == "P" else None
    return None if colours is None else np.array(colours, np.uint8).reshape(-1, 3)


def load_classes(path: Path, upright: bool = True, colours: bool = False) -> np.ndarray:
    """A class map: as :func:`load_label`, from files that keep every id.

    JPEG and lossy WebP blur ids into their neighbours: of a map of 20 classes about a third of the pixels change.

    Raises:
        DataError: see there, or the file is of such a kind.
    """
    with _reporting(path):
        with opened(path) as file:
            head = file.read(16)
        if head[:2] == b"\xff\xd8" or (head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8 "):
            kind = "JPEG" if head[:1] == b"\xff" else "lossy WebP"
            raise ValueError(f"is a {kind}, which changes class ids: take the lossless original (PNG)")
    return load_label(path, upright, colours)


def loader_of(task: Task) -> Callable[..., np.ndarray]:
    """What reads the label files of a dense task."""
    if getattr(task, "colours", None) is not None:
        return partial(load_classes, colours=True)
    return load_classes if task.classes else load_label


def load_regions(path: Path) -> Regions:
    """A file of region ids (PNG or an integer array; id + 1, 0 none) as int32 (H, W), -1 none.

    Raises:
        DataError: the file is missing, broken, or not one integer per pixel.
    """
    if not _is_array(path):
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
    with _reporting(path):
        if _is_array(path):
            shape = array_shape(path) if path.suffix.lower() == ".npy" else load_array(path, _VALUE_LIMIT).shape
            return _plane(shape)
        with _open(path) as image:
            return (image.width, image.height) if _turn(image, path) >= 5 else (image.height, image.width)


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Whatever a decoder says about a broken file, as one line that names the file."""
    try:
        regular(path)
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: no such file: check the path, it is relative to the table's folder") from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror}): a cell names a readable file") from None
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        empty = path.is_file() and path.stat().st_size == 0
        said = (isinstance(error, OSError) and error.strerror) or str(error).replace(f" {str(path)!r}", "")
        why = "the file is empty" if empty else " ".join(said.split())
        foreign = _foreign(path)
        if foreign:
            raise DataError(f"{shown(path)}: is {foreign} file; {_READ}: convert it, or blank the cell") from None
        if isinstance(error, UnidentifiedImageError) and not empty and path.suffix.lower() not in _SUFFIXES:
            raise DataError(f"{shown(path)}: is of no kind that is known; {_READ}: convert it") from None
        if isinstance(error, UnidentifiedImageError) and path.suffix.lower() in (".tif", ".tiff") and not empty:
            why = "a broken TIFF, or one of a kind that is not read (64-bit floats, say)"
        raise DataError(f"{shown(path)}: {why or type(error).__name__}: mend the file or blank the cell") from None


def _foreign(path: Path) -> str:
    """What a whole file of a kind that is not read is, by its first bytes; empty for others."""
    if path.suffix.lower() in SUFFIXES or not (path.is_file() or is_member(str(path))):
        return ""
    try:
        with opened(path) as file:
            start = file.read(132)
    except (ValueError, OSError):  # a member of a tar that ends before it, or what cannot be read at all
        return ""
    known = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    brand = start[4:12]
    if brand[:4] == b"ftyp" and brand[4:] in (b"heic", b"heix", b"mif1", b"msf1", b"avif"):
        known = "a HEIC or AVIF"
    return known or ("a DICOM" if start[128:] == b"DICM" else "")


def _is_array(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


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


def _pixels(image: Image.Image) -> np.ndarray:
    """The pixels as a writable array in native byte order; 1-bit ones as 0 and 1."""
    array = np.array(image)
    return array.astype(np.uint8 if array.dtype == bool else array.dtype.newbyteorder("="), copy=False)


def _plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an array (H, W), (H, W, C) or (C, H, W), C at most 4."""
    if len(shape) == 3 and shape[0] <= 4 < shape[2]:
        return shape[1], shape[2]
    if len(shape) not in (2, 3):
        raise ValueError(f"an array of shape {shape} is not (H, W), (H, W, C) or (C, H, W)")
    return shape[0], shape[1]


def rgb_of_picture(image: Image.Image) -> Tensor:
    """A PIL image, turned as its camera says, as float RGB (3, H, W) in [0, 1].

    Raises:
        ValueError: its values are not those of an image.
    """
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in _GREY[3:]:  # more than 8 bits, which convert() would clip
        held = _pixels(image)
        return rgb(held.astype(np.uint16) if image.format == "PPM" and image.mode == "I" else held)
    pixels = torch.from_numpy(_pixels(image if image.mode == "RGB" else image.convert("RGB")))
    return pixels.permute(2, 0, 1).contiguous().float().div_(255)


def rgb(array: np.ndarray) -> Tensor:
    """An array (H, W), (H, W, C) or (C, H, W) as float RGB (3, H, W) in [0, 1].

    Raises:
        ValueError: it is not an image.
    """
    size = _plane(array.shape)
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
    if planes.size and (planes.min() < 0 or planes.max() > 1):
        raise ValueError(f"a float image is in [0, 1], found values from {planes.min():g} to {planes.max():g}")
    return torch.from_numpy(planes.astype(np.float32, order="C"))
