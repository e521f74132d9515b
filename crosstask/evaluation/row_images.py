"""The image file of each sample, where there is one."""

from __future__ import annotations

from pathlib import Path

from crosstask.data.labels.subsets import Joined, Subset
from crosstask.data.loading.dataset import Dataset, TableDataset


def row_images(dataset: Dataset) -> list[Path | None]:
    """The absolute path of each sample's image; None for one that is no file."""
    if isinstance(dataset, Subset):
        whole = row_images(dataset.dataset)
        return [whole[index] for index in dataset.indices]
    if isinstance(dataset, Joined):
        return [path for part in dataset.parts for path in row_images(part)]
    if isinstance(dataset, TableDataset):
        return [dataset.table.resolve(index, "image", dataset.confined) for index in range(len(dataset))]
    return [None] * len(dataset)
