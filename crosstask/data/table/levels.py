"""Which whole numbers a column of label files holds: ids are few in a file, values of a map are many."""

from __future__ import annotations

from statistics import median

import numpy as np

WHITE = 255
_MANY = 64
"""So many different values in the middle file are no classes: those of street scenes have 35, coarse depth has 80."""
_SOME, _HALF = 8, 0.5


class Levels:
    """The values of some files, counted file by file.

    Attributes:
        files: how many of them hold anything known.
        highest: the greatest value but 255, which may stand for unknown; -1 without any.
        masks: whether there is nothing but 0 and 255, or 0 and 65535.
        telling: whether any file holds more than one value.
    """

    def __init__(self) -> None:
        self.files, self.highest = 0, -1
        self.masks, self.telling = True, False
        self._counts: list[int] = []
        self._white = self._ends = 0.0

    def add(self, plane: np.ndarray) -> None:
        """Count the values of one more file, (H, W)."""
        known = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
        if not known.size:
            return
        values, counts = _counted(known)
        shares = counts / known.size
        self.files += 1
        self._counts.append(len(values))
        others = values[values != WHITE]
        self.highest = max(self.highest, int(others[-1]) if len(others) else -1)
        self.telling |= len(values) > 1
        self.masks &= bool(np.isin(values, (0, WHITE, 65535)).all())
        self._white += float(shares[values == WHITE].sum())
        self._ends += float(shares[np.isin(values, (0, WHITE))].sum())

    @property
    def typical(self) -> int:
        """How many different values the middle one of the files holds that hold more than one."""
        return round(median([count for count in self._counts if count > 1] or [1]))

    @property
    def many(self) -> bool:
        """Whether there are too many in a file for ids."""
        return self.typical > _MANY

    @property
    def soft(self) -> bool:
        """Whether these are masks of 0 and 255 with levels of all kinds between, at smoothed edges or from JPEG."""
        reached = self._white > 0 and WHITE // 2 < self.highest < WHITE
        return reached and self.typical > _SOME and self._ends >= _HALF * self.files


def _counted(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that occur, sorted, and how often they do."""
    if known.dtype != np.uint8:
        return np.unique(known, return_counts=True)
    counts = np.bincount(known.reshape(-1))  # without sorting
    return counts.nonzero()[0], counts[counts > 0]
