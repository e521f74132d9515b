"""Cells that say nothing: blank ones, NaN, and what a task takes for a mark of no label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from crosstask.data.table.table import ORIGIN, Table
from crosstask.tasks.base import Task
from crosstask.tasks.cells import is_blank


def says_nothing(task: Task, cell: str) -> bool:
    """Whether a cell that is not empty holds no label of a task: NaN or None as text, or nothing but unknown values.

    A cell that cannot be read does say something; whoever reads it tells what is wrong.
    """
    if is_blank(cell, task.classes):
        return True
    if task.dense:
        return False
    try:
        return not bool(task.known(task.parse(cell)).any())
    except ValueError:
        return False


def without_blanks(
    table: Table, tasks: Mapping[str, Task], readers: Mapping[str, Mapping[str, Task]]
) -> tuple[Table, dict[str, Counter[str]]]:
    """The table with the cells that say nothing made empty, and how many of each there were, by task."""
    found: dict[str, Counter[str]] = {name: Counter() for name in tasks}
    known: dict[tuple[str, str, str], bool] = {}
    rows = []
    for row in table.rows:
        origin = row.get(ORIGIN, "")
        for name, task in tasks.items():
            cell = row.get(name, "")
            if not cell or (task.dense and not is_blank(cell, [])):
                continue
            key = origin, name, cell
            if key not in known:
                known[key] = says_nothing(readers.get(origin, tasks)[name], cell)
            if known[key]:
                row = {**row, name: ""}
                found[name][str(cell)] += 1
        rows.append(row)
    return (replace(table, rows=rows) if any(found.values()) else table), found
