"""Masks as runs of zeros and ones, column by column, plain or in COCO's compressed text."""

from __future__ import annotations

import numpy as np

from crosstask.errors import DataError


def runs_of(counts: object, where: str) -> list[int]:
    """The lengths of the runs, beginning with zeros.

    The text holds numbers in digits of five bits, lowest first, plus 48; bit 32 says that more follow, and the highest
    digit is signed. From the third run on, a number is the difference to the run two before (COCO's ``maskApi``).

    Raises:
        DataError: neither a list of numbers nor such a text.
    """
    if isinstance(counts, list) and all(isinstance(run, int) and run >= 0 for run in counts):
        return counts
    if not isinstance(counts, str):
        raise DataError(f"{where}: the counts of its mask are {counts!r:.60}: a list of runs or COCO's text is read")
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        digit = ord(character) - 48
        if not 0 <= digit < 64:
            raise DataError(f"{where}: the counts of its mask hold {character!r}, no digit of COCO's text")
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift or any(run < 0 for run in runs):
        raise DataError(f"{where}: the counts of its mask are cut off or broken: mend the file")
    return runs


def to_mask(runs: list[int], given: tuple[int, ...], size: tuple[int, int], where: str) -> np.ndarray:
    """The mask (H, W).

    Raises:
        DataError: the runs are of another size than the image.
    """
    if tuple(given) != tuple(size):
        raise DataError(f"{where}: its mask is {tuple(given)} (height, width) but the image is {tuple(size)}: mend it")
    if sum(runs) != size[0] * size[1]:
        raise DataError(
            f"{where}: the runs of its mask cover {sum(runs)} pixels, the image has {size[0] * size[1]}: mend the file"
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, order="F")
