"""A report of :func:`~crosstask.data.check.check.check` as a person reads it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid

from crosstask.data.check.check import Report
from crosstask.data.check.findings import SEVERITIES

_COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_CLASSES = 40
_BAR = 20


def render(report: Report) -> RenderableType:
    """Coverage matrix, class histograms and findings, for ``rich.print``."""
    parts: list[RenderableType] = [_coverage(report)]
    parts.append(_accounts(report))
    parts += [_classes(report, name) for name in report.classes]
    parts.append(_findings(report))
    return Group(*parts)


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
