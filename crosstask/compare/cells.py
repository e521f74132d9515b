"""The tables of a comparison as text: a header and rows, for Markdown, terminal and page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crosstask.compare.comparison import Comparison
from crosstask.compare.rows import CostRow, Difference, Point, Score
from crosstask.compare.statements import interval_text, signed
from crosstask.compare.statistics import LEVEL
from crosstask.entries import SINGLE, SUPERVISED
from crosstask.evaluation.results import ARROWS, NOT_MEASURED, show

Cells = tuple[list[str], list[list[str]]]


def label_settings(comparison: Comparison) -> list[str]:
    """The label settings with any finished run, those with the most methods to compare first."""
    methods: dict[str, set[str]] = {}
    for row in comparison.scores:
        methods.setdefault(row.labels, set()).add(row.method)
    return sorted(methods, key=lambda labels: -len(methods[labels]))


def overview(comparison: Comparison, labels: str) -> Cells:
    """A row per method, a column per task with its primary metric and the verdict, and Delta."""
    primary = [row for row in comparison.scores if row.primary and row.labels == labels]
    headings = {row.task: f"{row.task}: {heading(row)}" for row in primary}
    gains = {gain.method: gain for gain in comparison.gains
             if gain.labels == labels and gain.difference.baseline == SUPERVISED}  # fmt: skip
    rows = []
    for method in dict.fromkeys(row.method for row in primary):
        own = {row.task: row for row in primary if row.method == method}
        cells = [f"{spread(own[task])}{_said(own[task].difference)}" if task in own else "" for task in headings]
        gain = gains.get(method)
        rows.append([method, *cells, f"{signed(gain.difference.mean)}{_said(gain.difference)}" if gain else ""])
    return ["method", *headings.values(), "Delta, %"], rows


def heading(row: Score | Point) -> str:
    """``miou ↑``."""
    return f"{row.metric} {ARROWS[row.better]}".strip()


def spread(row: Score | Point) -> str:
    """``mean ± sd`` to two digits of the sd; the mean alone for one seed."""
    if not row.deviation > 0:
        return show(row.mean) + (" ± 0" if row.deviation == 0 else "")
    digits = max(1 - math.floor(math.log10(row.deviation)), 0)
    return f"{row.mean:.{digits}f} ± {row.deviation:.{digits}f}"


def score_cells(scores: Sequence[Score], labels: bool = False) -> Cells:
    """Header and rows of the table of scores as text."""
    header = ["method", "task", "metric", "seeds", "mean ± sd", f"difference to {SUPERVISED}", f"{LEVEL:.0%} t",
              f"{LEVEL:.0%} bootstrap", "verdict", "p, Holm", "recovered"]  # fmt: skip
    rows = []
    for row in scores:
        difference = row.difference
        compared = ["", "", "", "", ""]
        if difference is not None:
            intervals = [interval_text(difference.interval), interval_text(difference.bootstrap)]
            corrected = show(row.corrected) if row.primary else ""
            compared = [signed(difference.mean), *intervals, difference.verdict, corrected]
        rows.append(
            [
                *([row.labels] if labels else []),
                row.method,
                row.task,
                heading(row),
                str(len(row.seeds)),
                spread(row),
                *compared,
                _recovered(row),
            ]
        )
    return (["labels", *header] if labels else header), rows


def gain_cells(comparison: Comparison, labels: str) -> Cells:
    """Header and rows, one per method, of Delta and the cost, as text."""
    header = ["method", f"Delta to {SUPERVISED}, %", f"{LEVEL:.0%} t", "verdict"]
    deltas = {
        (gain.method, gain.difference.baseline): gain.difference for gain in comparison.gains if gain.labels == labels
    }
    single = any(baseline == SINGLE for _, baseline in deltas)
    header += [f"Delta to {SINGLE}, %", f"{LEVEL:.0%} t"] if single else []
    header += ["s per step", f"/ {SUPERVISED}", "memory", f"/ {SUPERVISED}"]
    rows = []
    for cost in (row for row in comparison.costs if row.labels == labels):
        cells = [cost.method]
        for baseline in (SUPERVISED, SINGLE) if single else (SUPERVISED,):
            found = deltas.get((cost.method, baseline))
            cells += [signed(found.mean), interval_text(found.interval)] if found else ["", ""]
            if baseline == SUPERVISED:
                cells.append(found.verdict if found else "")
        rows.append([*cells, *cost_cells(cost)])
    return header, rows


def cost_cells(cost: CostRow) -> list[str]:
    """Time and memory, each also relative to ``supervised``."""
    memory = show(cost.memory / 2**20)
    return [
        show(cost.seconds),
        show(cost.relative_seconds),
        memory if memory == NOT_MEASURED else f"{memory} MiB",
        show(cost.relative_memory),
    ]


def point_cells(comparison: Comparison) -> Cells:
    """Header and rows of the label-efficiency curve, fewest labels first, as text."""
    header = ["task", "method", "labels", "training labels", "metric", "mean ± sd"]
    order = {name: index for index, name in enumerate(dict.fromkeys(row.task for row in comparison.points))}
    points = sorted(comparison.points, key=lambda row: (order[row.task], row.method, row.count))
    rows = [[row.task, row.method, row.labels, f"{row.count:.0f}", heading(row), spread(row)] for row in points]
    return header, rows


def _said(difference: Difference | None) -> str:
    return f" {difference.verdict}" if difference is not None and difference.verdict != "not shown" else ""


def _recovered(row: Score) -> str:
    if row.recovered is None:
        return ""
    fraction, interval = row.recovered
    return NOT_MEASURED if fraction != fraction else f"{fraction:.2f} ({interval.low:.2f} to {interval.high:.2f})"
