"""A look at a whole table before any training: what is labelled, what is broken, what looks mis-specified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from crosstask.data.check import findings as find
from crosstask.data.check.findings import SEVERITIES, Finding
from crosstask.data.check.inspection import inspect
from crosstask.data.table.infer import infer_tasks
from crosstask.data.table.table import Table
from crosstask.tasks import Task


@dataclass(frozen=True, repr=False)
class Report:
    """What :func:`check` found.

    Attributes:
        table: the table that was checked.
        tasks: the tasks it was checked for.
        findings: errors first.
        coverage: per split (``""`` for rows without one) and task, how many rows have a label.
        rows: per split, how many rows there are.
        classes: per task with classes and split, how many pixels or samples each class has.
        depths: per depth task, least, median (of the medians of the images) and greatest depth.
    """

    table: Table
    tasks: Mapping[str, Task]
    findings: list[Finding]
    coverage: dict[str, dict[str, int]]
    rows: dict[str, int]
    classes: dict[str, dict[str, Tensor]]
    depths: dict[str, tuple[float, float, float]]

    @property
    def errors(self) -> list[Finding]:
        """The findings that should stop a training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def plain(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return {
            "table": str(self.table.path),
            "tasks": {name: {"kind": task.kind, "classes": task.classes} for name, task in self.tasks.items()},
            "rows": self.rows,
            "labelled": self.coverage,
            "classes": {
                name: {
                    split: dict(zip(self.tasks[name].classes, counts.tolist(), strict=True))
                    for split, counts in splits.items()
                }
                for name, splits in self.classes.items()
            },
            "depths": {
                name: dict(zip(("least", "median", "greatest"), depths, strict=True))
                for name, depths in self.depths.items()
            },
            "findings": [asdict(finding) for finding in self.findings],
        }

    def __repr__(self) -> str:
        from rich.console import Console

        from crosstask.data.check.report import render

        console = Console(width=120, color_system=None)
        with console.capture() as text:
            console.print(render(self))
        return text.get()


def check(
    table: Table,
    tasks: Mapping[str, Task] | None = None,
    *,
    training: str = "train",
    workers: int = 0,
    confined: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Open every file of a table and say what is in it.

    Args:
        table: the table.
        tasks: the tasks of a recipe by name; guessed from the table for None.
        training: name of the training split.
        workers: processes that open files; 0 for this one alone.
        confined: refuse paths that leave the table's folder.
        progress: called with (rows done, rows in all).
    """
    findings: list[Finding] = []
    if tasks is None:
        tasks, notes = infer_tasks(table)
        findings += [Finding("info", "", note) for note in notes]
    facts = []
    for row in inspect(table, tasks, workers, confined):
        facts.append(row)
        if progress is not None:
            progress(len(facts), len(table))
    splits = [row.get("split", "") for row in table.rows]
    rows = dict(Counter(splits))
    coverage = {
        split: {name: sum(bool(row.get(name)) for row in table.rows if row.get("split", "") == split) for name in tasks}
        for split in rows
    }
    classes = find.count_classes(facts, splits)
    first = training if training in rows else next(iter(rows))
    findings += find.faults(facts)
    findings += find.coverage(table, tasks, coverage, rows, first)
    findings += find.duplicates(table, facts, splits)
    findings += find.sizes(facts)
    findings += find.absent_classes(tasks, classes, first)
    findings += find.units(tasks, facts)
    findings += find.frames(tasks, facts)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(table, tasks, findings, coverage, rows, classes, find.depth_ranges(facts))
