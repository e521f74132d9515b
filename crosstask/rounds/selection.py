"""Which pseudo-labels are kept: of each class the surest share, over all images."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256
"""Steps that confidence is counted in, those of its files."""


class Surest:
    """Class by class, the confidence that a share of the entries has at least.

    A common threshold would keep the easy classes and lose the rare ones (Zou et al., ECCV 2018: class-balanced
    self-training). Counts alone are kept, so that memory does not grow with the images.

    Args:
        share: the part of each class's entries that is kept, in (0, 1]; entries as sure as the last one are kept too.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.counts: dict[int, Tensor] = {}

    def add(self, groups: Tensor, levels: Tensor) -> None:
        """Count entries: their class, below 0 for none, and their confidence in 0 to 255, of one shape."""
        for group in groups.unique().tolist():
            if group >= 0:
                found = torch.bincount(levels[groups == group].flatten().long(), minlength=LEVELS)
                self.counts[group] = self.counts.get(group, torch.zeros(LEVELS, dtype=torch.long)) + found

    def threshold(self, group: int) -> int:
        """The least level that is kept of a class."""
        counts = self.counts.get(group)
        if counts is None or not int(counts.sum()):
            return 0
        above = counts.flip(0).cumsum(0)  # with the i + 1 highest levels
        return LEVELS - 1 - int((above >= self.share * int(counts.sum())).nonzero()[0])

    def keep(self, groups: Tensor, levels: Tensor) -> Tensor:
        """Which entries are kept, bool, in the shape of ``groups``."""
        kept = torch.zeros_like(groups, dtype=torch.bool)
        for group in groups.unique().tolist():
            if group >= 0:
                kept |= (groups == group) & (levels >= self.threshold(group))
        return kept


def share_of_round(shares: list[float], number: int) -> float:
    """The share of a round, counted from 1; the last one for all that follow."""
    return shares[min(number, len(shares)) - 1]
