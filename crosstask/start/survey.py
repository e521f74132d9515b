"""What a table holds, as far as a recipe needs to know."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import yaml
from torch import Tensor

from crosstask.data.check.check import check
from crosstask.data.check.finding import Finding
from crosstask.data.check.report import Report
from crosstask.data.decode.files import image_size
from crosstask.data.table.blanks import without_blanks
from crosstask.data.table.infer import infer_tasks
from crosstask.data.table.table import INTRINSICS, Table
from crosstask.engine import Engine
from crosstask.errors import DataError
from crosstask.tasks import Segmentation, Task
from crosstask.tasks.names import are_positions

SPLITS = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
"""Usual names of splits."""

_IDS = 255
_SIZES = 200
_REMEDY = "set "


@dataclass(frozen=True)
class Survey:
    """What there is in a table.

    Attributes:
        table: the table.
        tasks: what each column was taken for.
        notes: why, by column, and the columns that were passed over.
        counts: of each task with classes, the pixels or samples of each class in the training rows, (C,).
        typical: of each depth task, the median depth in metres.
        whole_numbers: depth and disparity tasks whose files hold integers.
        size: the median height and width of the images.
        splits: the names of the training, validation and test split, where there are any.
        rows: training rows.
        labelled: training rows with a label of each task.
        camera: training rows with a label of depth and known intrinsics.
        meet: for each pair of tasks, how many training rows have labels of both.
        options: options of tasks that ``check`` found to be needed, by task.
        warnings: what else it warned of.
    """

    table: Table
    tasks: Mapping[str, Task]
    notes: Mapping[str, str]
    counts: Mapping[str, Tensor]
    typical: Mapping[str, float]
    whole_numbers: frozenset[str]
    size: tuple[int, int]
    splits: Mapping[str, str]
    rows: int
    labelled: Mapping[str, int]
    camera: int
    meet: Mapping[tuple[str, str], int]
    options: Mapping[str, Mapping[str, Any]]
    warnings: list[str]


def survey(
    table: Table, workers: int = 0, confined: bool = False, progress: Callable[[int, int], None] | None = None
) -> Survey:
    """Open every label of a table and sum up what a recipe needs; of the images no more than their sizes.

    Raises:
        DataError: no column is known to be a task, no image can be read, or a file is broken.
    """
    guessed, notes = infer_tasks(table)
    if broken := [str(note) for note in notes if note.severity == "error"]:
        raise DataError(f"{table.path}: {'; '.join(broken)}")
    if not guessed:
        reasons = "; ".join(map(str, notes)) or "no labels"
        raise DataError(f"{table.path}: no column that a network could learn ({reasons})")
    splits = _splits(table)

    def look(tasks: Mapping[str, Task]) -> Report:
        engine, train = Engine(workers=workers), splits.get("train", "")
        return check(table, tasks, training=train, engine=engine, confined=confined, progress=progress, images=False)

    wide = {name: _wide(task) for name, task in guessed.items()}
    found = look(wide)
    options = _options(found.findings, wide)
    told = [each for each in found.findings if each.where in options and _remedies(each.message)]
    if options:  # numbers are those of labels that are read so
        wide = {name: _with(task, options.get(name, {})) for name, task in wide.items()}
        found = look(wide)
    findings = list(dict.fromkeys([*told, *found.findings]))
    table, _ = without_blanks(table, wide, {})
    trained = [row for row in table.rows if not splits or row.get("split") == splits["train"]]
    counts = {name: torch.stack(list(parts.values())).sum(0) for name, parts in found.classes.items()}
    tasks = {name: _narrow(task, counts.get(name)) for name, task in guessed.items()}
    misfits = [
        f"{name}: ids go up to {task.channels - 1}, beyond the {guessed[name].channels} names listed beside the table"
        for name, task in tasks.items()
        if named(guessed[name]) and not named(task)
    ]
    own = {name: parts.get(splits.get("train", ""), counts[name]) for name, parts in found.classes.items()}
    names = list(tasks)
    return Survey(
        table=table,
        tasks=tasks,
        notes={note.column: note.text for note in notes},
        counts={name: own[name][: tasks[name].channels] for name in own},
        typical={name: median for name, (_, median, _) in found.depths.items()},
        whole_numbers=frozenset(
            name for parts in found.accounts.values() for name, account in parts.items() if account.bits - {0}
        ),
        size=_size(table, confined),
        splits=splits,
        rows=len(trained),
        labelled={name: sum(bool(row.get(name)) for row in trained) for name in names},
        camera=sum(all(row.get(column) for column in INTRINSICS) for row in trained),
        meet={(a, b): sum(bool(row.get(a) and row.get(b)) for row in trained) for a in names for b in names if a < b},
        options=options,
        warnings=misfits
        + [
            f"{f.where}: {f.message}" if f.where else f.message
            for f in findings
            if f.severity != "info" and not (f.where in wide and "never in any label" in f.message)
        ],
    )


def _with(task: Task, options: Mapping[str, Any]) -> Task:
    """A task that reads labels by further options."""
    return type(task)(**{**task.options, "name": task.name, **options}) if options else task


def _wide(task: Task) -> Task:
    """A task of as many classes as files of 8 bits can hold: how many there are is counted in all files."""
    if not isinstance(task, Segmentation):
        return task
    return Segmentation(task.name, classes=max(_IDS, task.channels))


def _narrow(guessed: Task, counts: Tensor | None) -> Task:
    """The guessed task, with its names, or as many classes as there are where these are more."""
    if not isinstance(guessed, Segmentation) or counts is None or not counts.any():
        return guessed
    highest = int(counts.nonzero().max()) + 1
    if named(guessed) and highest <= guessed.channels:
        return guessed
    return Segmentation(guessed.name, classes=max(highest, 2))


def named(task: Task) -> bool:
    """Whether the classes of a task have names of their own."""
    return not are_positions(task.classes)


def _splits(table: Table) -> dict[str, str]:
    """The usual splits by their names in the table; the most frequent one trains where none is usual."""
    there = [name for name in table.splits if name]
    if not there:
        return {}
    found: dict[str, Any] = {}
    for part, words in SPLITS.items():
        for name in there:
            if name.lower() in words:
                found.setdefault(part, name)
    if "train" not in found:
        rest = [name for name in there if name not in found.values()]
        if not rest:
            raise DataError(
                f"{table.path}: no row of a training split, found {', '.join(there)}: write train into the "
                "blank cells of column split"
            )
        found["train"] = max(rest, key=lambda name: sum(row.get("split") == name for row in table.rows))
    return found


def _size(table: Table, confined: bool) -> tuple[int, int]:
    step = max(len(table) // _SIZES, 1)
    sizes = []
    for row in range(0, len(table), step):
        try:
            sizes.append(image_size(table.resolve(row, "image", confined)))
        except DataError:
            continue
    if not sizes:
        raise DataError(f"{table.path}: none of its images can be read: check the column 'image'")
    heights, widths = zip(*sizes, strict=True)
    return sorted(heights)[len(heights) // 2], sorted(widths)[len(widths) // 2]


def _options(findings: list[Finding], tasks: Mapping[str, Task]) -> dict[str, dict[str, Any]]:
    """The options that findings about a task tell to set, ``set KEY: VALUE``: of several values in a finding the first,
    and all marks that the task and the findings list."""
    options: dict[str, dict[str, Any]] = {}
    for finding in findings:
        if finding.where not in tasks or finding.severity == "info":
            continue
        found = options.setdefault(finding.where, {})
        for key, value in _remedies(finding.message):
            before = found.get(key, tasks[finding.where].options.get(key))
            if isinstance(before, list) and isinstance(value, list):
                found[key] = list(dict.fromkeys([*before, *value]))
            else:
                found.setdefault(key, value)
    return {name: found for name, found in options.items() if found}


def _remedies(message: str) -> list[tuple[str, Any]]:
    """The options that a message tells to set."""
    found: dict[str, Any] = {}
    for part in message.split(_REMEDY)[1:]:
        key, colon, rest = part.partition(": ")
        if not colon or not key.isidentifier():
            continue
        value = rest.split("]")[0] + "]" if rest.startswith("[") else rest.split()[0].rstrip(",;.")
        with contextlib.suppress(yaml.YAMLError):
            found.setdefault(key, yaml.safe_load(value))
    return list(found.items())
