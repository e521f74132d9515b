"""Whole numbers in label files, told apart as ids, masks and maps."""

from __future__ import annotations

import numpy as np
import pytest

from crosstask.data.table.levels import Levels

RAMP = np.arange(48 * 64).reshape(48, 64)
BLOCKS = RAMP // 500
DISC = (np.hypot(*np.ogrid[-24:24, -32:32]) < 15) * 255.0


def levels(*planes: np.ndarray) -> Levels:
    found = Levels()
    for plane in planes:
        found.add(plane)
    return found


@pytest.mark.parametrize(
    ("plane", "highest", "masks", "soft", "many"),
    [
        (BLOCKS.astype(np.uint8), 6, False, False, False),
        (np.where(BLOCKS == 6, 255, BLOCKS).astype(np.uint8), 5, False, False, False),
        (np.where(BLOCKS == 6, np.nan, BLOCKS), 5, False, False, False),
        (BLOCKS * 5500, 33000, False, False, False),
        (RAMP.astype(np.uint16), 3071, False, False, True),
        ((RAMP % 256).astype(np.uint8), 254, False, False, True),
        (DISC.astype(np.uint8), 0, True, False, False),
        ((DISC * 257).astype(np.uint16), 65535, True, False, False),
        (np.where(RAMP % 64 < 8, RAMP % 64 * 30 + 8, DISC).astype(np.uint8), 218, False, True, False),
        (np.where(RAMP % 64 < 10, RAMP % 64, DISC).astype(np.uint8), 9, False, False, False),
        (DISC > 0, 1, False, False, False),
    ],
)
def test_what_a_file_holds(plane, highest, masks, soft, many):
    found = levels(plane)
    assert (found.highest, found.masks, found.soft, found.many) == (highest, masks, soft, many)


def test_files_of_one_value_tell_nothing_of_others():
    found = levels(*[RAMP * 0] * 9, RAMP)
    assert (found.files, found.typical, found.telling) == (10, RAMP.size, True)
    assert not levels(RAMP * 0, RAMP * 0 + 1).telling


def test_what_is_not_known_is_not_counted():
    found = levels(np.full((2, 2), np.nan), np.full((2, 2), -1))
    assert (found.files, found.highest, found.typical) == (1, -1, 1)
