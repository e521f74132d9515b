"""What :func:`~crosstask.data.check.check.check` found, also as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid
from torch import Tensor

from crosstask.data.check.account import Account
from crosstask.data.check.finding import SEVERITIES, Finding
from crosstask.data.table.table import Table
from crosstask.tasks import Task

_COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_CLASSES = 40
_BAR = 20


@dataclass(frozen=True, repr=False)
class Report:
    """What was found.

    Attributes:
        table: the table that was checked.
        tasks: the tasks it was checked for.
        findings: errors first.
        coverage: per split (``""`` for rows without one) and task, how many rows have a label.
        rows: per split, how many rows there are.
        classes: per task with classes and split, how many pixels or samples each class has.
        depths: per depth task, least, median (of the medians of the images) and greatest depth.
        accounts: per split and task, what the labels hold.
    """

    table: Table
    tasks: Mapping[str, Task]
    findings: list[Finding]
    coverage: dict[str, dict[str, int]]
    rows: dict[str, int]
    classes: dict[str, dict[str, Tensor]]
    depths: dict[str, tuple[float, float, float]]
    accounts: dict[str, dict[str, Account]]

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

    def __rich__(self) -> RenderableType:
        """Coverage, what the labels hold, shares of classes and findings, for ``rich.print``."""
        classes = [_classes(self, name) for name in self.classes]
        return Group(_coverage(self), _accounts(self), *classes, _findings(self))

    def __repr__(self) -> str:
        console = Console(width=120, color_system=None)
        with console.capture() as text:
            console.print(self)
        return text.get()


def _named(split: str) -> str:
    return split or "(no split)"


def _coverage(report: Report) -> RenderableType:
    grid = Grid(title=f"{escape(str(report.table.path))}: labelled rows", title_justify="left")
    grid.add_column("split")
    grid.add_column("rows", justify="right")
    for name, task in report.tasks.items():
        grid.add_column(f"{escape(name)}\n[dim]{task.kind}[/dim]", justify="right")
    for split, rows in report.rows.items():
        counts = report.coverage[split].values()
        grid.add_row(escape(_named(split)), str(rows), *[f"{count} ({100 * count / rows:.0f}%)" for count in counts])
    return grid


def _accounts(report: Report) -> RenderableType:
    grid = Grid(title="what the labels hold", title_justify="left")
    for column in ("split", "task", "labels"):
        grid.add_column(column)
    for split, accounts in report.accounts.items():
        for name, account in accounts.items():
            grid.add_row(escape(_named(split)), escape(name), escape(account.line(report.tasks[name])))
    return grid


def _classes(report: Report, name: str) -> RenderableType:
    splits = report.classes[name]
    task = report.tasks[name]
    grid = Grid(
        title=f"{escape(name)}: share of the labelled {'pixels' if task.dense else 'images'}", title_justify="left"
    )
    grid.add_column("class")
    for split in splits:
        grid.add_column(escape(_named(split)), justify="right")
    grid.add_column("")
    # Tags overlap, so their share is one of images; pixels and categories are shares of all counted.
    totals = {split: _total(report, name, split) for split in splits}
    shares = {split: counts / max(totals[split], 1) for split, counts in splits.items()}
    leading = next(iter(shares.values()))
    largest = max(float(leading.max()), 1e-9)
    for index in range(min(task.channels, _CLASSES)):
        cells = [f"{100 * float(share[index]):.2f}%" if share[index] else "-" for share in shares.values()]
        grid.add_row(escape(task.classes[index]), *cells, "█" * round(_BAR * float(leading[index]) / largest))
    if task.channels > _CLASSES:
        grid.add_row(f"... {task.channels - _CLASSES} more")
    return grid


def _total(report: Report, name: str, split: str) -> int:
    if report.tasks[name].dense:
        return int(report.classes[name][split].sum())
    return report.coverage[split][name]


def _findings(report: Report) -> RenderableType:
    grid = Grid.grid(padding=(0, 2))
    for finding in report.findings:
        colour = _COLOURS[finding.severity]
        grid.add_row(f"[{colour}]{finding.severity}[/{colour}]", escape(finding.where), escape(finding.message))
    found = [sum(finding.severity == severity for finding in report.findings) for severity in SEVERITIES[:2]]
    counts = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(found, SEVERITIES, strict=False))
    return Group(grid, f"[bold]{counts}[/bold]")
