"""Runs of a table that grows: how many labels each was trained on, and how good it became."""

from __future__ import annotations

from crosstask.compare.cells import Cells
from crosstask.compare.statements import interval_text, signed
from crosstask.compare.statistics import LEVEL, verdict
from crosstask.evaluation.results import ARROWS, NOT_MEASURED, show
from crosstask.report.charts import Line, chart
from crosstask.report.paired import Paired
from crosstask.report.subject import Source, Subject


def history_cells(subject: Subject) -> Cells:
    """Per run, in the order they were given, and task the number of training labels and the primary metric."""
    header = ["run"]
    for task in subject.tasks:
        header += [f"{task}: labels", f"{task}: {_metric(subject, task) or 'score'}"]
    rows = []
    for source, labels in zip(subject.sources, _labels(subject), strict=True):
        row = [source.method]
        for task in subject.tasks:
            count, score = labels.get(task), _score(source, task)
            row += [NOT_MEASURED if count is None else str(count), NOT_MEASURED if score is None else show(score)]
        rows.append(row)
    return header, rows


def change_cells(subject: Subject) -> Cells:
    """What became better or worse since the first run, image by image: the mean difference of the metric of single
    images that both runs were measured on, and its interval."""
    first, *later = subject.sources
    rows = []
    for task in subject.tasks:
        for source in later:
            if task not in first.tasks or task not in source.tasks:
                continue
            before, after = first.tasks[task], source.tasks[task]
            paired = Paired.of(after, before)
            if not paired.images:
                continue
            better = before.numbers[before.single].better
            metric = f"{before.single} {ARROWS[better]}".strip()
            rows.append([f"{task}: {source.method}", metric, str(paired.images), signed(paired.mean),
                         interval_text(paired.interval), verdict(paired.interval, better)])  # fmt: skip
    return [f"since {first.method}", "metric", "images", "mean difference", f"{LEVEL:.0%} bootstrap", "verdict"], rows


def history_charts(subject: Subject) -> list[str]:
    """Per task the primary metric over the number of training labels, where runs differ in it."""
    charts = []
    for task in subject.tasks:
        points = [
            (float(labels[task]), score)
            for source, labels in zip(subject.sources, _labels(subject), strict=True)
            if labels.get(task) and (score := _score(source, task)) is not None
        ]
        if len({count for count, _ in points}) > 1:
            title = f"{task}: {_metric(subject, task)}"
            charts.append(chart(title, f"training labels of {task}", [Line("runs", points, 0, marks=True)], True))
    return charts


def _labels(subject: Subject) -> list[dict[str, int]]:
    """By run and task, how many labels it was trained on; of runs that never began nothing."""
    return [environment.get("training_labels", {}) for environment in subject.environments()]


def _score(source: Source, task: str) -> float | None:
    return source.tasks[task].score if task in source.tasks else None


def _metric(subject: Subject, task: str) -> str:
    found = next((source.tasks[task] for source in subject.sources if task in source.tasks), None)
    return "" if found is None else f"{found.primary} {ARROWS[found.numbers[found.primary].better]}".strip()
