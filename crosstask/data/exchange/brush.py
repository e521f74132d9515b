"""The brush masks of Label Studio: runs of bytes of an RGBA picture, packed into bits.

The list of bytes holds, most significant bit first: the number of bytes of the picture (32 bits); the bits of a word
less 1 (5); four sizes less 1 (4 each); then blocks. A block begins with a bit (1: one word is repeated, 0: words
follow), which of the four sizes its length has (2), its length less 1, and its words. Alpha above 0 is the mask.
"""

from __future__ import annotations

import numpy as np

from crosstask.errors import DataError

_SIZES = (3, 4, 8, 16)


def decode_brush(packed: list[int], size: tuple[int, int], where: str) -> np.ndarray:
    """The mask, bool (H, W).

    Raises:
        DataError: the bytes are broken, or of a picture of another size.
    """
    try:
        bits = "".join(map("{:08b}".format, bytes(packed)))
    except (TypeError, ValueError):
        raise DataError(f"{where}: the rle of its brush is no list of bytes: export the project again") from None
    total, expected = int(bits[:32] or "0", 2), size[0] * size[1] * 4
    if total != expected:
        raise DataError(f"{where}: its brush is of {total} bytes, the image needs {expected} ({size[1]}x{size[0]})")
    at = 32

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > len(bits):
            raise DataError(f"{where}: the rle of its brush is cut off: export the project again")
        return int(bits[at - count : at], 2)

    word = take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    picture = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeated = take(1)
        count = take(sizes[take(2)]) + 1
        if done + count > total:
            raise DataError(f"{where}: the rle of its brush holds too many bytes: export the project again")
        if repeated:
            picture[done : done + count] = take(word) & 255
        else:
            picture[done : done + count] = [take(word) & 255 for _ in range(count)]
        done += count
    return picture.reshape(*size, 4)[..., 3] > 0


def encode_brush(mask: np.ndarray) -> list[int]:
    """A mask (H, W) as the list of bytes."""
    flat = mask.astype(bool).ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [flat.size]])) * 4
    parts = [f"{flat.size * 4:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value = f"{255 * int(flat[start]):08b}"
        while length:
            count = min(length, 2 ** _SIZES[-1])
            which = next(place for place, size in enumerate(_SIZES) if count <= 2**size)
            parts.append(f"1{which:02b}{count - 1:0{_SIZES[which]}b}{value}")
            length -= count
    bits = "".join(parts)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
