"""NumPy files (``.npy``, and ``.npz`` with one array) read without pickle and without trusting their headers."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from crosstask.remote.members import opened

SUFFIXES = (".npy", ".npz")

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def is_array(path: Path) -> bool:
    """Whether a file is called as an array is."""
    return path.suffix.lower() in SUFFIXES


def load_array(path: Path, limit: int) -> np.ndarray:
    """The array in a file, writable and in native byte order.

    Args:
        path: a ``.npy`` file, or a ``.npz`` file that holds one array.
        limit: the most values the array may have; a header that promises more is refused unread.

    Raises:
        ValueError: not such a file, an array of objects, truncated, or too large.
        OSError: the file cannot be opened.
    """
    with opened(path) as file:
        if path.suffix.lower() == ".npy":
            return _read(file, limit)
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise ValueError(f"it holds {len(names)} arrays ({', '.join(names[:4])}): store one")
            with archive.open(names[0]) as member:
                return _read(member, limit)


def array_shape(path: Path) -> tuple[int, ...]:
    """The shape that the header of a ``.npy`` file promises; its values are not read.

    Raises:
        ValueError: not such a file, or an array of objects.
        OSError: the file cannot be opened.
    """
    with opened(path) as file:
        return _header(file)[0]


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format: save it with numpy.save")
    shape, columns_first, dtype = _HEADERS[version](stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {dtype} values: store numbers, not objects or text")
    return shape, columns_first, dtype


def _read(stream: IO[bytes], limit: int) -> np.ndarray:
    shape, columns_first, dtype = _header(stream)
    count = math.prod(shape)
    if count > limit:
        raise ValueError(f"its header promises {'x'.join(map(str, shape))} values, more than the {limit} allowed")
    content = bytearray(stream.read(count * dtype.itemsize))
    if len(content) < count * dtype.itemsize:
        raise ValueError(f"truncated: {len(content)} of {count * dtype.itemsize} bytes are there")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if columns_first else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
