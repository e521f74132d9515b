"""Tables to samples: what a data set is, and the one that reads a table of files."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from crosstask.data.decode.files import load_image, load_numbers, load_regions, loader_of
from crosstask.data.decode.labels import Read, load_beside, weights_of
from crosstask.data.loading.stored import orientation_of
from crosstask.data.sample import Sample
from crosstask.data.table.blanks import without_blanks
from crosstask.data.table.sources import Readers
from crosstask.data.table.table import INTRINSICS, ORIGIN, RESERVED, WEIGHT, Table
from crosstask.errors import DataError, RecipeError, nearest
from crosstask.tasks.base import Task
from crosstask.tasks.targets import Map, Regions, Target, as_target


class Dataset(Protocol):
    """Samples by index, without randomness, and what is labelled without opening a file."""

    @property
    def ids(self) -> list[str]:
        """The id of each sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """One sample.

        Raises:
            DataError: a file of it is missing or broken, or a label is not valid.
        """

    def labelled(self) -> Tensor:
        """Which samples have a label of which task, bool (N, T), tasks in the order of the recipe."""

    def given(self) -> Tensor:
        """Which of the labels somebody gave, bool (N, T); the others were made by a network and are only trained on."""

    def calibrated(self) -> Tensor:
        """Which samples have known intrinsics, bool (N,)."""

    def keep(self, mask: Tensor) -> Dataset:
        """The same samples without the labels outside ``mask``, bool (N, T)."""


class TableDataset:
    """The rows of a table as samples.

    Args:
        table: rows of text cells; columns that are no task's are passed over.
        tasks: the tasks of the recipe; each needs a column of its name. The cells of dense tasks name files, those of
            image-level tasks are text. A column ``TASK.weight`` holds a number or names a file of one weight per pixel
            (8 and 16-bit values are scaled to [0, 1]; masks of 0 and 1 alone are that). A column ``TASK.source`` says
            who made a label that nobody gave.
        split: use the rows of this split, or of these, only.
        regions: load the column ``regions``.
        confined: refuse paths that leave the table's folder, for tables that come from someone else.
        hidden: load the labels that :meth:`keep` leaves out as ``Sample.hidden``.
        readers: the tasks as they read the labels of rows whose column ``origin`` says so, for tables that store them
            otherwise.

    Attributes:
        blanks: per task, the cells that say nothing and how many of each there are.

    Raises:
        DataError: a column or the split is missing.
        RecipeError: a task has the name of a column with another meaning.
    """

    def __init__(
        self,
        table: Table,
        tasks: Mapping[str, Task],
        split: str | Sequence[str] | None = None,
        regions: bool = False,
        confined: bool = False,
        hidden: bool = False,
        readers: Readers = MappingProxyType({}),
    ) -> None:
        for name in tasks:
            if name in RESERVED:
                raise RecipeError(f"tasks: {name!r} is a column with another meaning: give the task another name")
            if name not in table.columns:
                others = [column for column in table.columns if column not in RESERVED]
                raise DataError(f"{table.path}: no column {name!r} for the task of this name: {nearest(name, others)}")
        if regions and "regions" not in table.columns:
            raise DataError(f"{table.path}: no column 'regions': make one with crosstask regions")
        self.readers = dict(readers)  # which, unlike a proxy, can be sent to other processes
        self.table, self.blanks = without_blanks(table.select(split), tasks, readers)
        self.tasks = dict(tasks)
        self.regions = regions
        self.confined = confined
        self.hidden = hidden
        self._there = self._labelled = self.table.coverage(list(tasks))
        self._given = self.table.given(list(tasks))

    @property
    def ids(self) -> list[str]:
        """The id of each row."""
        return self.table.ids

    def __len__(self) -> int:
        return len(self.table)

    def labelled(self) -> Tensor:
        """Which rows have a label of which task, bool (N, T)."""
        return self._labelled.clone()

    def given(self) -> Tensor:
        """Which rows have a label of which task that has no source, bool (N, T)."""
        return self._labelled & self._given

    def calibrated(self) -> Tensor:
        """Which rows have known intrinsics, bool (N,)."""
        return torch.stack([self._intrinsics(index) for index in range(len(self))]).isfinite().all(1)

    def keep(self, mask: Tensor) -> TableDataset:
        """The same rows without the labels outside ``mask``, bool (N, T)."""
        fewer = copy.copy(self)
        fewer._labelled = self._labelled & mask
        return fewer

    def __getitem__(self, index: int) -> Sample:
        """The sample of a row.

        Raises:
            DataError: a file is missing or broken, or a label is not valid; names row, column and file.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        image = self._load(index, "image", load_image)
        size = image.shape[-2], image.shape[-1]
        there, labelled = self._there[index].tolist(), self._labelled[index].tolist()
        made = (self._labelled[index] & ~self._given[index]).tolist()
        targets, weights, hidden = {}, {}, {}
        for (name, task), exists, use in zip(self.tasks.items(), there, labelled, strict=True):
            targets[name] = self._target(index, name, task, size) if use else task.unknown(size)
            if use and self.table.rows[index].get(name + WEIGHT):
                weights[name] = self._weight(index, name + WEIGHT, task, size)
                left = task.weighed(targets[name][None], weights[name][None])[0]  # what weighs 0 teaches nobody
                targets[name] = as_target(task.target_type, left)
            if self.hidden:
                hidden[name] = self._target(index, name, task, size) if exists and not use else task.unknown(size)
        regions: Regions | None = None
        if self.regions and self.table.rows[index].get("regions"):
            regions = self._load(index, "regions", load_regions)
            self._same_size(index, "regions", regions, size)
        return Sample(
            self.table.rows[index]["id"],
            image,
            targets,
            regions,
            self._intrinsics(index),
            weights,
            hidden,
            made=frozenset(name for name, each in zip(self.tasks, made, strict=True) if each),
        )

    def _load(self, index: int, column: str, load: Callable[[Path], Any]) -> Any:
        try:
            return load(self.table.resolve(index, column, self.confined))
        except DataError as error:
            raise DataError(f"{self.table.where(index, column)}: {error}") from None

    def _target(self, index: int, column: str, task: Task, size: tuple[int, int]) -> Target:
        cell = self.table.rows[index][column]
        task = self.readers.get(self.table.rows[index].get(ORIGIN, ""), self.tasks).get(column, task)
        try:
            stored = self._label(index, column, task, size, loader_of(task)) if task.dense else cell
            target = task.parse(stored)
            if task.dense:
                self._same_size(index, column, target, size)
            task.check(target)
        except ValueError as error:
            raise DataError(f"{self.table.where(index, column)}: {cell}: {error}") from None
        return target

    def _label(
        self, index: int, column: str, task: Task, size: tuple[int, int], read: Read = load_numbers
    ) -> np.ndarray:
        lies = orientation_of(self.table.rows[index], column, task)

        def load(path: Path) -> np.ndarray:
            return load_beside(path, self.table.resolve(index, "image", self.confined), size, lies, read)

        return self._load(index, column, load)

    def _weight(self, index: int, column: str, task: Task, size: tuple[int, int]) -> Target:
        cell = self.table.rows[index][column]
        try:
            weight = torch.full(size if task.dense else (), float(cell))
        except ValueError:
            weight = self._weight_map(index, column, size) if task.dense else torch.tensor(float("nan"))
        if not (weight.isfinite() & (weight >= 0)).all():
            kind = "a number of at least 0, or a file of one per pixel" if task.dense else "a number of at least 0"
            raise DataError(f"{self.table.where(index, column)}: {cell}: a weight is {kind}")
        return as_target(Map if task.dense else Target, weight)

    def _weight_map(self, index: int, column: str, size: tuple[int, int]) -> Tensor:
        stored = self._label(index, column, self.tasks[column.removesuffix(WEIGHT)], size)
        weight = torch.from_numpy(weights_of(stored))
        self._same_size(index, column, weight, size)
        return weight

    def _same_size(self, index: int, column: str, label: Tensor, size: tuple[int, int]) -> None:
        height, width = (*label.shape[-2:], 1, 1)[:2]
        if (height, width) != size:
            row = self.table.rows[index]
            raise DataError(
                f"{self.table.where(index, column)}: {row[column]} is {height}x{width} (height x width) but the image "
                f"{row['image']} is {size[0]}x{size[1]}: resize the label (nearest pixel) or pair the right files"
            )

    def _intrinsics(self, index: int) -> Tensor:
        def number(column: str) -> float:
            cell = self.table.rows[index].get(column) or "nan"
            try:
                return float(cell)
            except ValueError:
                raise DataError(f"{self.table.where(index, column)}: {cell!r} is not a number of pixels") from None

        return torch.tensor([number(column) for column in INTRINSICS])
