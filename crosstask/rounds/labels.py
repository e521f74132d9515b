"""Pseudo-labels of all training images, as ordinary columns of a table of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.options import DataOptions
from crosstask.data.sample import Sample
from crosstask.data.table.split_names import used_splits
from crosstask.data.table.table import SOURCE, Table, write_table
from crosstask.engine import Engine
from crosstask.rounds.files import FAULT, Progress, make_files
from crosstask.rounds.labeller import Labeller
from crosstask.rounds.roles import Roles
from crosstask.tasks import Saliency, Task


def training_rows(table: Table, data: DataOptions) -> list[int]:
    """The rows of the training splits, as a training finds them; all where the table has no splits."""
    used = used_splits(table.splits, data.train_split, data.validation_split, data.test_split).train
    return [index for index, row in enumerate(table.rows) if not table.splits or row.get("split") in used]


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
        arrays[roles.segmentation.name] = roles.segmentation.encode(classes)
    task = roles.saliency
    if task is not None and saliency is not None and not bool(saliency.isnan().all()):
        arrays[task.name] = task.encode(saliency)
    return arrays
