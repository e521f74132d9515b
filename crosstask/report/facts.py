"""What a report says in words and tables, for each kind of subject."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from crosstask.alignment.table import EXPLANATION, FILE, cells, read
from crosstask.compare.cells import Cells, gain_cells, overview, score_cells
from crosstask.compare.comparison import Comparison
from crosstask.compare.markdown import protocols
from crosstask.evaluation.results import ARROWS, NOT_MEASURED, Results, show
from crosstask.evaluation.watchdog import doubts, lacks
from crosstask.report.history import change_cells, history_cells
from crosstask.report.subject import Subject
from crosstask.rounds.record import Record
from crosstask.training.run import Run


class Facts(NamedTuple):
    """What a report says.

    Attributes:
        settings: how it was measured; empty where it was not.
        tables: label setting, caption and cells of each table of numbers.
        protocols: how the numbers are defined, in lines.
        command: what to type to run it again.
    """

    settings: dict[str, str]
    tables: list[tuple[str, str, Cells]]
    protocols: list[str]
    command: str


def facts_of(subject: Subject) -> Facts:
    """The facts of a run, a comparison or the rounds of a refinement."""
    if subject.comparison is not None:
        return _of_comparison(subject, subject.comparison)
    if subject.rounds is not None:
        return _of_rounds(subject, subject.rounds)
    if subject.several:
        return _of_several(subject)
    return _of_run(subject)


def _of_run(subject: Subject) -> Facts:
    name = shlex.quote(str(subject.path))
    command = f"crosstask train {name}/recipe.yaml --out again && crosstask eval again"
    results = subject.results
    aligned = _alignment(subject)
    lacking = lacks(Run(subject.path).records(), subject.recipe.sections["objectives"])
    remarks = [*(f"Watch out: {each}." for each in lacking), *([EXPLANATION] if aligned else [])]
    if results is None:
        return Facts({}, aligned, remarks, command)
    header, rows = results.cells()
    level = f"{results.level:.0%} intervals: bootstrap over the images of this one network."
    return Facts(
        {"images": str(results.images), **results.settings},
        [(subject.labels[0], "All metrics", (header[:-1], [row[:-1] for row in rows])), *aligned],
        [
            *(f"{name}: {task.protocol}." for name, task in results.tasks.items()),
            level,
            *(f"Watch out: {doubt}." for doubt in doubts(results, _prior(subject, results))),
            *remarks,
        ],
        command,
    )


def _prior(subject: Subject, results: Results) -> Results | None:
    """What ``crosstask eval`` measured of the prior on the same split."""
    file = subject.path / f"prior_{results.settings.get('split') or 'all'}.json"
    return Results.load(file) if file.exists() else None


def _alignment(subject: Subject) -> list[tuple[str, str, Cells]]:
    """What ``crosstask align`` found for a run, where it was asked."""
    file = subject.path / FILE
    if not file.exists():
        return []
    return [(subject.labels[0], "Objectives against the labels hidden from this run", cells(read(file)))]


def _of_several(subject: Subject) -> Facts:
    rows = []
    for task in subject.tasks:
        measured = {source.method: source.tasks[task] for source in subject.sources if task in source.tasks}
        metrics = dict.fromkeys(metric for results in measured.values() for metric in results.numbers)
        for metric in metrics:
            found = {method: results.numbers.get(metric) for method, results in measured.items()}
            better = next(number.better for number in found.values() if number is not None)
            cells = [
                NOT_MEASURED if (number := found.get(method)) is None else show(number.value)
                for method in subject.methods
            ]
            rows.append([task, f"{metric} {ARROWS[better]}".strip(), *cells])
    protocols = dict.fromkeys(
        f"{name}: {results.protocol}." for source in subject.sources for name, results in source.tasks.items()
    )
    command = shlex.join(["crosstask", "report", *(str(source.runs[0]) for source in subject.sources)])
    table = (subject.labels[0], "All metrics", (["task", "metric", *subject.methods], rows))
    grown = (subject.labels[0], "Training labels and scores", history_cells(subject))
    changed = change_cells(subject)
    paired = [(subject.labels[0], "Change, image by image", changed)] if changed[1] else []
    return Facts({"runs": str(len(subject.sources))}, [grown, *paired, table] if rows else [], list(protocols), command)


def _of_rounds(subject: Subject, record: Record) -> Facts:
    return Facts(
        {"rounds": str(len(record.rounds)), "status": record.status},
        [(subject.labels[0], "Pseudo-labels and networks of the rounds", record.cells())],
        [record.protocol],
        f"crosstask refine {shlex.quote(str(subject.path))}/recipe.yaml --out again",
    )


def _of_comparison(subject: Subject, comparison: Comparison) -> Facts:
    tables: list[tuple[str, str, Cells]] = []
    for labels in subject.labels:
        own = [row for row in comparison.scores if row.labels == labels]
        tables += [
            (labels, "Primary metrics, mean ± sd over seeds", overview(comparison, labels)),
            (labels, "All tasks together, and the cost", gain_cells(comparison, labels)),
            (labels, "Each task", score_cells([row for row in own if row.primary])),
            (labels, "All metrics", score_cells(own)),
        ]
    return Facts(comparison.settings, tables, protocols(comparison), _again(comparison))


def _again(comparison: Comparison) -> str:
    cells = comparison.grid.cells

    def listed(values: Sequence[object]) -> str:
        return ",".join(map(str, dict.fromkeys(values)))

    methods = [comparison.grid.methods[cell.method].entry for cell in cells]
    options = ["--objectives", listed(methods), "--labels", listed([cell.labels for cell in cells]),
               "--seeds", listed([cell.seed for cell in cells]), "--out", "again"]  # fmt: skip
    return f"{comparison.grid.command} {shlex.join(options)}"
