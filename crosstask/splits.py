"""From the ``data`` section of a recipe to training, validation and test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.decode.files import image_size
from crosstask.data.labels.holding import hold_out_per_task
from crosstask.data.labels.protocols import assign
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.options import DataOptions
from crosstask.data.table.sources import load_tables, readers
from crosstask.data.table.split_names import Used, used_splits
from crosstask.data.table.table import Table
from crosstask.errors import DataError, nearest
from crosstask.regions.stored import read_record
from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks.base import Task

_ALIKE = 1.25
"""Scales within this factor do no harm."""


@dataclass(frozen=True)
class Splits:
    """The samples of a run.

    Attributes:
        train: with only the labels the protocol leaves.
        validation: to select the best checkpoint with; None when nothing is held out. What is taken off the training
            rows, for tasks that the table's own validation split has no label of, has the labels the protocol left
            them, no more.
        test: to report numbers on, with all labels; None when the table has no such split.
        labels: which of the training labels were kept, to be written down.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    labels: Table


def load_table(options: DataOptions) -> Table:
    """The table, or the tables concatenated.

    Raises:
        DataError: see :func:`~crosstask.data.table.table.read_table`.
    """
    return load_tables(options.table)


def load_splits(options: DataOptions, tasks: Mapping[str, Task]) -> Splits:
    """The samples of a recipe.

    Raises:
        DataError: the table or a column is missing, or a task has no label among the training samples.
        RecipeError: the label protocol is not valid.
    """
    whole, validation, test = (_table if options.rooms is None else _rooms)(options, tasks)
    given = whole.given()
    keep = assign(given, options.labels, options.labels_seed, whole.ids, list(tasks))
    train = whole.keep(keep | (whole.labelled() & ~given))
    labels = _labels_table(train, tasks)
    trained = train.labelled().any(0).tolist()
    missing = [name for name, known in zip(tasks, trained, strict=True) if not known and name not in options.derive]
    if missing:
        raise DataError(
            f"task {missing[0]!r} has no label among the {len(train)} training samples (labels: {options.labels}): "
            "add some, or leave the task out of the recipe"
        )
    validation = None if validation is None else measurable(validation)
    train, validation = hold_out_per_task(train, validation, options.validation_fraction, options.labels_seed)
    return Splits(
        train,
        validation,
        None if test is None else measurable(test),
        labels,
    )


def training_ids(options: DataOptions, tasks: Mapping[str, Task]) -> list[str]:
    """The ids of the samples that are trained on: none that is held out for validation; see :func:`load_splits`."""
    whole, validation, _ = (_table if options.rooms is None else _rooms)(options, tasks)
    there = None if validation is None else measurable(validation)
    return hold_out_per_task(whole, there, options.validation_fraction, options.labels_seed)[0].ids


def unvalidated(splits: Splits, tasks: Mapping[str, Task]) -> list[str]:
    """The tasks no label of which is there to choose the best checkpoint with."""
    if splits.validation is None:
        return list(tasks)
    known = splits.validation.labelled().any(0).tolist()
    return [name for name, there in zip(tasks, known, strict=True) if not there]


def measurable(dataset: Dataset) -> Dataset:
    """The samples with the labels that were given alone: nothing is measured on what a network made."""
    return dataset.keep(dataset.given())


def _rooms(options: DataOptions, tasks: Mapping[str, Task]) -> tuple[Dataset, Dataset | None, Dataset]:
    rooms = options.rooms
    assert rooms is not None

    def part(count: int, start: int, hidden: bool = False) -> RoomsDataset:
        return RoomsDataset(count, tasks, size=options.size, seed=rooms.seed, start=start, hidden=hidden)

    after_train = rooms.train + rooms.validation
    validation = part(rooms.validation, rooms.train) if rooms.validation else None
    return part(rooms.train, 0, options.hidden), validation, part(rooms.test, after_train)


def _table(options: DataOptions, tasks: Mapping[str, Task]) -> tuple[Dataset, Dataset | None, Dataset | None]:
    table = load_table(options)
    reading = readers(options.table, tasks)

    def part(split: str | Sequence[str] | None, hidden: bool = False) -> TableDataset:
        return TableDataset(
            table,
            tasks,
            split,
            regions=options.regions,
            confined=options.confined,
            hidden=hidden,
            readers=reading,
        )

    if not table.splits:
        return part(None, options.hidden), None, None
    used = splits_used(options, table)
    return (
        part(used.train, options.hidden),
        None if used.validation is None else part(used.validation),
        None if used.test is None else part(used.test),
    )


def splits_used(options: DataOptions, table: Table) -> Used:
    """Which splits of a table the recipe uses.

    Raises:
        DataError: the recipe names a validation split of its own that no row has, or that is trained or tested on.
    """
    used = used_splits(table.splits, options.train_split, options.validation_split, options.test_split)
    if used.validation is None and options.validation_split != DataOptions.validation_split:
        if options.validation_split in (*used.train, used.test):
            raise DataError(
                f"data.validation_split: {options.validation_split!r} is trained or tested on too: name another, or "
                "leave it out for a part of the training images"
            )
        raise DataError(
            f"{table.path}: no row of split {options.validation_split!r} (data.validation_split): "
            f"{nearest(options.validation_split, table.splits)}"
        )
    return used


def unused_rows(options: DataOptions, table: Table, tasks: Mapping[str, Task]) -> str | None:
    """What to tell a user some of whose labelled rows are in splits that no command uses; None for others."""
    if not table.splits:
        return None
    used = splits_used(options, table)
    spare = (*used.unused, *([""] if any(not row.get("split") for row in table.rows) else []))
    counts = {
        name: sum(row.get("split", "") == name and any(row.get(task) for task in tasks) for row in table.rows)
        for name in spare
    }
    told = ", ".join(f"{count} of {name!r}" if name else f"{count} of none" for name, count in counts.items() if count)
    if not told:
        return None
    others = [f", {name} to {use}" for name, use in ((used.validation, "validate"), (used.test, "test")) if name]
    return (
        f"labelled rows of splits that nothing uses: {told} (used: {', '.join(used.train)} to train{''.join(others)}): "
        "name them with data.train_split, data.validation_split or data.test_split"
    )


def _labels_table(dataset: Dataset, tasks: Mapping[str, Task]) -> Table:
    """The table of the training rows with the labels that were kept; for made-up rooms, 1 where there is a label."""
    if isinstance(dataset, TableDataset):
        return dataset.table.masked(list(tasks), dataset.labelled())
    rows = [
        {"id": name, "image": name} | {task: "1" if known else "" for task, known in zip(tasks, row, strict=True)}
        for name, row in zip(dataset.ids, dataset.labelled().tolist(), strict=True)
    ]
    return Table(Path("labels.csv"), ("id", "image", *tasks), rows)


def scale_gap(table: Table, options: DataOptions) -> str | None:
    """What to tell a user whose images are measured at another scale than the network is trained at; None for others.

    Training shrinks the whole image to ``data.size`` before it zooms in; at another size everything may look larger or
    smaller than the network has ever seen it, and with it nearer or farther.
    """
    shown, where = options.shown_size, "at data.evaluation_size"
    if shown is None:
        shown, where = _own_size(table, options), "at their own size"
    if shown is None:
        return None
    scale = min(shown[0] / options.size[0], shown[1] / options.size[1])
    least, greatest = min(options.zoom), max(options.zoom)
    if least / _ALIKE <= scale <= greatest * _ALIKE:
        return None
    (rows, columns), (height, width) = options.size, shown
    return (
        f"data.size is {rows}x{columns}, but images are measured {where}, {height}x{width}: everything is "
        f"{scale:.2g} times as large as in training, whose zooms are {least:g} to {greatest:g}. Set "
        f"data.evaluation_size to null for [{rows}, {columns}]"
    )


def _own_size(table: Table, options: DataOptions) -> tuple[int, int] | None:
    """Height and width of the first image; None where there is none that can be read, which others say."""
    if options.rooms is not None or not table.rows:
        return None
    try:
        return image_size(table.resolve(0, "image", options.confined))
    except DataError:
        return None


def shown_masks(table: Table, options: DataOptions) -> str | None:
    """What to tell a user whose regions are made of labels that the label protocol hides; None for others."""
    if not options.regions or options.labels == "full":
        return None
    for index, row in enumerate(table.rows):
        if row.get("regions"):
            record = read_record(table.resolve(index, "regions", options.confined))
            if record is None or record.provider != "given":
                return None
            return (
                f"the regions are made of the labels in {record.parameters.get('column')}, so they show masks that "
                f"data.labels: {options.labels} hides: make them by slic or sam, or set data.labels: full"
            )
    return None


def label_counts(dataset: Dataset, tasks: Mapping[str, Task]) -> dict[str, int]:
    """How many samples have a label of each task."""
    counts: Tensor = dataset.labelled().sum(0, dtype=torch.long)
    return dict(zip(tasks, counts.tolist(), strict=True))
