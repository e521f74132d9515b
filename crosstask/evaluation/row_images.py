"""The image file of each sample, where there is one, how a table names it, and what is read of samples."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from crosstask.data.labels.subsets import Joined, Subset
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.stamps import stamp
from crosstask.remote import url_of

Read = TypeVar("Read")


def row_images(dataset: Dataset) -> list[Path | None]:
    """The absolute path of each sample's image; None for one that is no file."""
    return _each(dataset, lambda rows, index: rows.table.resolve(index, "image", rows.confined))


def content(dataset: Dataset) -> str:
    """A digest of what is read of the samples: their cells, which labels count, and of the files of images and labels
    the size and the time of change."""
    found = hashlib.blake2b(json.dumps(dataset.labelled().tolist()).encode(), digest_size=16)
    for row in _each(dataset, _row):
        found.update(row or b"\0")
    return found.hexdigest()


def image_cell(path: Path | str, folder: Path) -> str:
    """A file as a cell of a table in ``folder``: its URL, or its path from there; blank for blank."""
    if not str(path):
        return ""
    return url_of(Path(path)) or Path(os.path.relpath(path, folder)).as_posix()


def _each(dataset: Dataset, read: Callable[[TableDataset, int], Read]) -> list[Read | None]:
    """What ``read`` says of each row of a table; None for a sample that is in none."""
    if isinstance(dataset, Subset):
        whole = _each(dataset.dataset, read)
        return [whole[index] for index in dataset.indices]
    if isinstance(dataset, Joined):
        return [each for part in dataset.parts for each in _each(part, read)]
    if isinstance(dataset, TableDataset):
        return [read(dataset, index) for index in range(len(dataset))]
    return [None] * len(dataset)


def _row(dataset: TableDataset, index: int) -> bytes:
    row = dataset.table.rows[index]
    named = ["image", *(name for name, task in dataset.tasks.items() if task.dense and row.get(name))]
    stamps = [stamp(dataset.table.resolve(index, column, dataset.confined)) for column in named]
    said = json.dumps([str(dataset.table.folder), row, stamps], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=16).digest()
