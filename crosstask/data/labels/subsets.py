"""Data sets made of others: some samples of one, or several behind each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample


class Subset:
    """Some samples of a data set, in a given order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)
        self.ids = [dataset.ids[index] for index in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.indices[index]]

    def labelled(self) -> Tensor:
        """(n, tasks) bool: which samples have a label of which task."""
        return self.dataset.labelled()[self.indices]

    def given(self) -> Tensor:
        """(n, tasks) bool: which of those labels were given, not derived."""
        return self.dataset.given()[self.indices]

    def calibrated(self) -> Tensor:
        """(n,) bool: which samples know their camera."""
        return self.dataset.calibrated()[self.indices]

    def keep(self, mask: Tensor) -> Subset:
        """The same samples with only the labels that `mask` (n, tasks) leaves."""
        whole = self.dataset.labelled()
        whole[self.indices] &= mask
        return Subset(self.dataset.keep(whole), self.indices)


class Joined:
    """The samples of several data sets with the same tasks, one after the other."""

    def __init__(self, *parts: Dataset) -> None:
        self.parts = parts
        self.starts = list(accumulate((len(part) for part in parts), initial=0))
        self.ids = [name for part in parts for name in part.ids]

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: int) -> Sample:
        part = bisect_right(self.starts, index) - 1
        return self.parts[part][index - self.starts[part]]

    def labelled(self) -> Tensor:
        """(n, tasks) bool: which samples have a label of which task."""
        return torch.cat([part.labelled() for part in self.parts])

    def given(self) -> Tensor:
        """(n, tasks) bool: which of those labels were given, not derived."""
        return torch.cat([part.given() for part in self.parts])

    def calibrated(self) -> Tensor:
        """(n,) bool: which samples know their camera."""
        return torch.cat([part.calibrated() for part in self.parts])

    def keep(self, mask: Tensor) -> Joined:
        """The same samples with only the labels that `mask` (n, tasks) leaves."""
        shares = mask.split([len(part) for part in self.parts])
        return Joined(*(part.keep(share) for part, share in zip(self.parts, shares, strict=True)))
