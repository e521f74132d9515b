"""Losses, validation metrics and what methods measure of themselves over a run, the mean over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosstask.compare.comparison import Comparison
from crosstask.entries import FULL
from crosstask.evaluation.results import ARROWS
from crosstask.report.charts import Line, chart
from crosstask.report.subject import Subject
from crosstask.training.run import Run

_MOST = 80

Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class Charts:
    """Charts of one label setting.

    Attributes:
        labels: the label setting.
        metrics: of validation metrics, primary ones.
        losses: of loss terms.
        measures: of what objectives measure: coverage and quality of pseudo-labels, say.
    """

    labels: str
    metrics: list[str]
    losses: list[str]
    measures: list[str]


def curve_charts(subject: Subject) -> list[Charts]:
    """The charts of each label setting, a line per method."""
    return [_of_setting(subject, labels) for labels in subject.labels]


def efficiency_charts(comparison: Comparison, styles: Mapping[str, int]) -> list[str]:
    """Per task: the primary number over the number of training labels. Fractions and full labels are joined: they
    differ in number alone."""
    charts = []
    for task in dict.fromkeys(point.task for point in comparison.points):
        own = [point for point in comparison.points if point.task == task and point.count > 0]
        lines = []
        for method in dict.fromkeys(point.method for point in own):
            for nested in (True, False):
                points = [
                    (point.count, point.mean)
                    for point in own
                    if point.method == method and _nested(point.labels) == nested
                ]
                lines.append(Line(method, sorted(points), styles[method], connected=nested, marks=True))
        title = f"{task}: {own[0].metric} {ARROWS[own[0].better]}" if own else task
        charts.append(chart(title, f"training labels of {task}", lines, logarithmic=True))
    return [each for each in charts if each]


def smoothed(curve: Sequence[tuple[float, float]], most: int = _MOST) -> Curve:
    """At most ``most`` points: neighbours are averaged."""
    size = -(-len(curve) // most) or 1
    groups = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def averaged(curves: Sequence[Curve]) -> Curve:
    """The mean of curves where all are known."""
    known = [dict(curve) for curve in curves]
    return [(x, sum(each[x] for each in known) / len(known)) for x in known[0] if all(x in each for each in known)]


def _of_setting(subject: Subject, labels: str) -> Charts:
    lines: dict[str, dict[str, list[Line]]] = {kind: defaultdict(list) for kind in ("metrics", "terms", "measures")}
    for style, method in enumerate(subject.methods):
        seeds = [_curves(source.runs) for source in subject.of(labels, method)]
        for key, name in seeds[0] if seeds else ():
            curve = averaged([each[key, name] for each in seeds if (key, name) in each])
            lines[key][name].append(Line(method, smoothed(curve), style))
    primary = {
        f"{name}/{task.primary}": ARROWS[task.numbers[task.primary].better]
        for source in subject.sources
        for name, task in source.tasks.items()
    }
    metrics = {f"{name} {primary.get(name, '')}".strip(): drawn for name, drawn in lines["metrics"].items()
               if name in primary or not primary}  # fmt: skip
    return Charts(
        labels,
        [chart(name, "iteration", drawn) for name, drawn in metrics.items()],
        [chart(name, "iteration", drawn) for name, drawn in lines["terms"].items()],
        [chart(name, "iteration", drawn) for name, drawn in lines["measures"].items()],
    )


def _curves(runs: Iterable[Path]) -> dict[tuple[str, str], Curve]:
    """The numbers of the log by (kind, name); those of runs of single tasks side by side."""
    curves: dict[tuple[str, str], Curve] = defaultdict(list)
    for record in (record for run in runs for record in Run(run).records()):
        for kind in ("metrics", "terms", "measures"):
            for name, value in record.get(kind, {}).items():
                if value is not None:
                    curves[kind, name].append((record["iteration"], value))
    return curves


def _nested(labels: str) -> bool:
    return labels in FULL or labels.startswith("fraction:")
