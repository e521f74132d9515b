"""How EXIF turns pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.remote.members import opened

ORIENTATION = 0x0112
"""The tag that says how a picture is turned."""
_TURNS = range(2, 9)


def turn_of(image: Image.Image, path: Path) -> int:
    """How EXIF turns a picture, 1 to 8. Pillow decodes a PNG that does not say so before its pixels; here that is done
    only where something behind them may."""
    plain = image.format == "PNG" and "exif" not in image.info and not _says_more(path)
    exif = Image.Image.getexif(image) if plain else image.getexif()
    turn = exif.get(ORIENTATION, 1)
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
