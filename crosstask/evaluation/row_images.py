"""The image file of each sample, where there is one, and how a table names it."""

from __future__ import annotations

import os
from pathlib import Path

from crosstask.data.labels.subsets import Joined, Subset
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.remote import url_of


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


def image_cell(path: Path | str, folder: Path) -> str:
    """A file as a cell of a table in ``folder``: its URL, or its path from there; blank for blank."""
    if not str(path):
        return ""
    return url_of(Path(path)) or Path(os.path.relpath(path, folder)).as_posix()
