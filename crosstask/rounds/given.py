"""The labels that rounds may know: those the label protocol of the recipe leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crosstask.data.labels.protocols import assign
from crosstask.data.options import DataOptions
from crosstask.data.table.blanks import without_blanks
from crosstask.data.table.table import Table
from crosstask.rounds.labels import training_rows
from crosstask.tasks.base import Task


def given_labels(table: Table, data: DataOptions, tasks: Mapping[str, Task]) -> Table:
    """The table with a column per task, in which training labels that the protocol drops are blank, as are all cells
    that say nothing: what is made of it is trained on with ``data.labels: full``."""
    names = list(tasks)
    columns = (*table.columns, *(name for name in names if name not in table.columns))
    table, _ = without_blanks(replace(table, columns=columns), tasks, {})
    rows = training_rows(table, data)
    train = replace(table, rows=[table.rows[index] for index in rows])
    given = train.given(names)
    keep = assign(given, data.labels, data.labels_seed, train.ids, names) | (train.coverage(names) & ~given)
    kept = dict(zip(rows, train.masked(names, keep).rows, strict=True))
    return replace(table, rows=[kept.get(index, row) for index, row in enumerate(table.rows)])
