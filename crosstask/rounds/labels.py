"""Pseudo-labels of all training images, as ordinary columns of a table of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.options import DataOptions
from crosstask.data.sample import Sample
from crosstask.data.table.table import SOURCE, Table, write_table
from crosstask.engine import Engine
from crosstask.rounds.files import FAULT, Progress, make_files
from crosstask.rounds.labeller import Labeller
from crosstask.rounds.roles import Roles
from crosstask.tasks import Saliency, Segmentation, Task


def training_rows(table: Table, data: DataOptions) -> list[int]:
    """The rows of the training split; all where the table has no splits."""
    return [index for index, row in enumerate(table.rows) if not table.splits or row.get("split") == data.train_split]


def write_labels(
    base: Table,
    data: DataOptions,
    roles: Roles,
    source: str | None,
    labeller: Labeller,
    folder: Path,
    progress: Progress | None = None,
    engine: Engine = Engine(workers=0),
) -> dict[str, str]:
    """Label the training rows of a table and write ``folder/table.csv``: the table with these labels.

    A label of the segmentation task that a row has already stays; other splits stay as they are.

    Args:
        base: the table without pseudo-labels.
        data: which split is the training split.
        roles: the tasks.
        source: column of the given saliency, or None.
        labeller: labels one image.
        folder: where to write; files of images that are finished are kept.
        progress: called with (images done, images in all).
        engine: where images are labelled.

    Returns:
        By id why a row could not be labelled.
    """
    wanted: dict[str, Task] = {roles.tags.name: roles.tags}
    if source is not None:
        own = roles.saliency is not None and roles.saliency.name == source
        wanted[source] = roles.saliency if own and roles.saliency is not None else Saliency(source)
    dataset = TableDataset(base, wanted, confined=data.confined)
    indices = training_rows(base, data)
    made = make_files(dataset, indices, _Labels(labeller, roles), folder, progress, engine)
    table = base.rebased(folder / "table.csv")
    names = [roles.segmentation.name, *([roles.saliency.name] if roles.saliency is not None else [])]
    rows = [dict(row) for row in table.rows]
    for index in indices:
        cells = made[rows[index]["id"]]
        for name in names:
            kept = "" if name == source else rows[index].get(name, "")
            new = cells.get(name, "")
            rows[index][name] = kept or new
            rows[index][name + SOURCE] = rows[index].get(name + SOURCE, "") if kept else new and folder.name
    columns = dict.fromkeys([*table.columns, *(name + ending for name in names for ending in ("", SOURCE))])
    write_table(replace(table, columns=tuple(columns), rows=rows))
    return {name: cells[FAULT] for name, cells in made.items() if FAULT in cells}


@dataclass(frozen=True)
class _Labels:
    labeller: Labeller
    roles: Roles

    def __call__(self, sample: Sample) -> Mapping[str, np.ndarray]:
        return _encoded(self.labeller(sample), self.roles)


def _encoded(labels: tuple[Tensor, Tensor | None], roles: Roles) -> Mapping[str, np.ndarray]:
    classes, saliency = labels
    arrays = {}
    if bool((classes >= 0).any()):
        arrays[roles.segmentation.name] = label_array(roles.segmentation, classes)
    task = roles.saliency
    if task is not None and saliency is not None and not bool(saliency.isnan().all()):
        arrays[task.name] = task.encode(saliency)
    return arrays


def label_array(task: Task, value: Tensor) -> np.ndarray:
    """A dense value as a file of the task holds its labels."""
    if isinstance(task, Segmentation):
        return file_ids(task, value)
    encoded = task.encode(value)
    assert isinstance(encoded, np.ndarray)
    return encoded


def file_ids(task: Segmentation, classes: Tensor) -> np.ndarray:
    """Class ids (H, W), -1 unknown, as the files of the task hold them: what a remap would map back to them."""
    if task.remap is None:
        return task.encode(classes)
    unknown = next(value for value in (255, 254, 65535, *range(65535)) if value not in task.remap)
    stored = [min(given for given, index in task.remap.items() if index == each) for each in range(task.channels)]
    values = torch.tensor([*stored, unknown])[classes].numpy()
    return values.astype(np.uint8 if max(*stored, unknown) < 256 else np.uint16)
