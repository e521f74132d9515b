"""Arrays of labels to files that :mod:`crosstask.data.decode.files` reads back unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.writing import whole


def label_suffix(array: np.ndarray) -> str:
    """The ending of the file for a label: ``.png`` for whole numbers, ``.npy`` for floats."""
    return ".npy" if array.dtype.kind == "f" else ".png"


def write_label(path: Path, array: np.ndarray, compress_level: int = 6) -> None:
    """Write a label, whole or not at all; its folder is made.

    Args:
        path: the file, with the ending of :func:`label_suffix`.
        array: (H, W) or (H, W, 3).
        compress_level: of PNG, 0 to 9.

    Raises:
        OSError: it cannot be written.
    """
    with whole(path) as part:
        if array.dtype.kind == "f":
            np.save(part, array)
        else:
            Image.fromarray(array).save(part, format="PNG", compress_level=compress_level)
