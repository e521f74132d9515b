"""What is wrong with a file, in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import UnidentifiedImageError

from crosstask.data.decode.arrays import is_array
from crosstask.errors import DataError
from crosstask.reading import regular
from crosstask.remote import shown
from crosstask.remote.members import is_member, opened

_MAGIC = {
    b"\x76\x2f\x31\x01": "an OpenEXR", b"\x89HDF": "an HDF5", b"MATLAB": "a MATLAB", b"PK\x03\x04": "a ZIP",
    b"%PDF": "a PDF", b"8BPS": "a Photoshop", b"\x80\x04": "a pickle", b"DICM": "a DICOM", b"<svg": "an SVG",
}  # fmt: skip
_READ = "pictures (PNG, JPEG, TIFF, WebP, BMP, PPM, PGM, PFM, GIF, JPEG 2000) and NumPy arrays (.npy, .npz) are read"
_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pfm", ".gif"
)  # fmt: skip


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Whatever a decoder says about a broken file, as one line that names the file."""
    try:
        regular(path)
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(
            f"{shown(path)}: no such file: check the path; in a table it is relative to the table's folder"
        ) from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror}): name a file that can be read") from None
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
    if is_array(path) or not (path.is_file() or is_member(str(path))):
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
