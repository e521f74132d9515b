"""Samples that stay in memory once they were read."""

from __future__ import annotations

from torch import Tensor

from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample


class CachedDataset:
    """Another data set that opens every file once.

    Samples are shared by all who ask for them, and no transform changes one in place. Each worker process keeps what it
    read itself: with few workers nearly every sample is soon in each of them.

    Args:
        dataset: the data set to read from.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._samples: dict[int, Sample] = {}

    @property
    def ids(self) -> list[str]:
        """The id of each sample."""
        return self.dataset.ids

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        """One sample.

        Raises:
            DataError: a file of it is missing or broken, or a label is not valid.
        """
        if index not in self._samples:
            self._samples[index] = self.dataset[index]
        return self._samples[index]

    def labelled(self) -> Tensor:
        """Which samples have a label of which task, bool (N, T)."""
        return self.dataset.labelled()

    def given(self) -> Tensor:
        """Which of the labels somebody gave, bool (N, T)."""
        return self.dataset.given()

    def calibrated(self) -> Tensor:
        """Which samples have known intrinsics, bool (N,)."""
        return self.dataset.calibrated()

    def keep(self, mask: Tensor) -> CachedDataset:
        """The same samples without the labels outside ``mask``, bool (N, T); nothing of them is in memory yet."""
        return CachedDataset(self.dataset.keep(mask))
