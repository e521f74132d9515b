"""Labels of teachers for the blank cells of a table: ordinary columns, with weights and with their source.

Two passes: the teachers label image after image, then of each class the surest part is kept. A given label stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crosstask.data.decode.files import load_label
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.options import DataOptions
from crosstask.data.sample import Sample
from crosstask.data.table.table import SOURCE, WEIGHT, Table, write_table
from crosstask.engine import Engine
from crosstask.errors import DataError
from crosstask.evaluation.confidence import stored_weight
from crosstask.rounds.files import FAULT, Progress, make_files
from crosstask.rounds.labels import training_rows
from crosstask.rounds.selection import LEVELS, Surest
from crosstask.rounds.teachers.base import Trusted, opinion
from crosstask.tasks.base import Task

CONFIDENCE = ".confidence"
"""Ending of the files with the confidence of all entries, those that are not kept too."""


class Made(NamedTuple):
    """What :func:`write_pseudo_labels` made.

    Attributes:
        table: the written table.
        counts: ``TASK``: how many cells were filled; ``TASK kept``: the share of their entries that counts, in percent.
        faults: by id why a row could not be labelled.
    """

    table: Table
    counts: dict[str, float]
    faults: dict[str, str]


def write_pseudo_labels(
    base: Table,
    data: DataOptions,
    tasks: Mapping[str, Task],
    teachers: Mapping[str, list[Trusted]],
    folder: Path,
    share: float,
    progress: Progress | None = None,
    engine: Engine = Engine(workers=0),
) -> Made:
    """Label the training rows of a table and write ``folder/table.csv``: the table with these labels.

    Args:
        base: the table without pseudo-labels, with a column for each task.
        data: which split is the training split.
        tasks: the tasks by name.
        teachers: by task those who label it; tasks without any keep to the labels there are.
        folder: where to write; images that are finished are not labelled again.
        share: of each class (and tag) this part of its entries is kept; all other kinds of labels are only weighed.
        progress: called with (images done, images in all).
        engine: where images are labelled.
    """
    dataset = TableDataset(base, tasks, confined=data.confined)
    indices = training_rows(base, data)
    asked = {name: list(each) for name, each in teachers.items() if each}

    cells = make_files(dataset, indices, _Opinions(tasks, asked), folder, progress, engine)
    table = base.rebased(folder / "table.csv")
    rows = [dict(row) for row in table.rows]
    counts: dict[str, Any] = {}
    for name, each in asked.items():
        source = "+".join(dict.fromkeys(trusted.teacher.name for trusted in each))
        counts |= _fill(tasks[name], rows, indices, cells, folder, share, source)
    endings = ("", WEIGHT, SOURCE)
    columns = dict.fromkeys([*table.columns, *(name + ending for name in asked for ending in endings)])
    faults = {name: found[FAULT] for name, found in cells.items() if FAULT in found}
    return Made(write_table(replace(table, columns=tuple(columns), rows=rows)), counts, faults)


@dataclass(frozen=True)
class _Opinions:
    tasks: Mapping[str, Task]
    teachers: Mapping[str, list[Trusted]]

    def __call__(self, sample: Sample) -> dict[str, np.ndarray | str]:
        made: dict[str, np.ndarray | str] = {}
        seen: dict[int, dict[str, Tensor]] = {}
        for name, each in self.teachers.items():
            if not bool(sample.targets[name].known().any()):
                made |= _stored(self.tasks[name], *opinion(self.tasks[name], sample, each, seen))
        return made


def _stored(task: Task, value: Tensor, confidence: Tensor) -> dict[str, np.ndarray | str]:
    """A label and its confidence as files, or as cells."""
    if not bool(task.known(value).any()):
        return {}
    encoded = task.encode(value)
    if not isinstance(encoded, dict):
        return {task.name: encoded, task.name + CONFIDENCE: stored_weight(confidence)}
    return {
        task.name: encoded["cell"],
        task.name + CONFIDENCE: " ".join(str(level) for level in stored_weight(confidence.reshape(-1))),
    }


def _fill(
    task: Task,
    rows: list[dict[str, str]],
    indices: list[int],
    cells: Mapping[str, Mapping[str, str]],
    folder: Path,
    share: float,
    source: str,
) -> dict[str, float]:
    """Fill the blank cells of a task with what is kept; says how much that is."""
    filled = [index for index in indices if task.name in cells[rows[index]["id"]] and not rows[index].get(task.name)]
    surest = Surest(share)
    for index in filled:
        value, levels = _read(task, cells[rows[index]["id"]], folder)
        groups = task.strata(value)
        if groups is not None:
            surest.add(groups, levels)
    kept = known = 0
    for index in filled:
        row, found = rows[index], cells[rows[index]["id"]]
        value, levels = _read(task, found, folder)
        groups = task.strata(value)
        there = task.known(value)
        keep = (there if groups is None else surest.keep(groups, levels)) & (levels > 0)
        kept, known = kept + int(keep.sum()), known + int(there.sum())
        if not bool(keep.any()):
            continue
        if task.dense:
            name = f"{task.name}{WEIGHT}/{Path(found[task.name]).relative_to(task.name).with_suffix('').as_posix()}"
            row[task.name] = found[task.name]
            row[task.name + WEIGHT] = _save(folder, name, levels.where(keep, 0))
        else:
            row[task.name] = _cell(task, value, keep)
            mean = float(levels[keep].float().mean()) / (LEVELS - 1)
            row[task.name + WEIGHT] = f"{mean:.4f}"
        row[task.name + SOURCE] = source
    return {task.name: len(filled), f"{task.name} kept": 100 * kept / max(known, 1)}


def _read(task: Task, found: Mapping[str, str], folder: Path) -> tuple[Tensor, Tensor]:
    """A label and its confidence in 0 to 255."""
    label, confidence = found[task.name], found[task.name + CONFIDENCE]
    if task.dense:
        value = task.parse(load_label(folder / label))
        return value.as_subclass(Tensor), torch.from_numpy(load_label(folder / confidence).astype(np.int64))
    value = task.parse(label).as_subclass(Tensor)
    return value, torch.tensor([int(level) for level in confidence.split()]).reshape(value.shape)


def _cell(task: Task, value: Tensor, keep: Tensor) -> str:
    """The text of an image-level label with what is not kept unknown."""
    unknown = task.unknown((1, 1)).as_subclass(Tensor)
    encoded = task.encode(value.where(keep, unknown))
    assert isinstance(encoded, dict)
    return encoded["cell"]


def _save(folder: Path, name: str, levels: Tensor) -> str:
    from crosstask.data.adapters.base import Output

    try:
        return Output(folder / "table.csv", folder).save(name, levels.to(torch.uint8).numpy())
    except OSError as error:
        raise DataError(f"{folder / name}: cannot be written ({error.strerror or error})") from error
