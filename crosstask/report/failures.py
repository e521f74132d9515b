"""The images that went worst."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from crosstask.compare.statistics import mean
from crosstask.evaluation.results import show
from crosstask.report.subject import Source, Subject

_LISTED = 5


@dataclass(frozen=True)
class Failures:
    """The worst images of a method for a task, worst first, with the number of each alone.

    Attributes:
        labels: the label setting.
        task: the task.
        metric: the metric of single images.
        methods: per method (id, number) of its first seed.
    """

    labels: str
    task: str
    metric: str
    methods: dict[str, list[tuple[str, str]]]


def hardest(sources: Sequence[Source], task: str, count: int, among: Collection[str] | None = None) -> list[str]:
    """The ids of the images (of those ``among``) that are worst on average over all sources, worst first."""
    measured = [source.tasks[task] for source in sources if task in source.tasks]
    names = dict.fromkeys(name for results in measured for name in results.scores)
    averages = {name: mean([results.scores.get(name, math.nan) for results in measured]) for name in names}
    known = [name for name in names if not math.isnan(averages[name]) and (among is None or name in among)]
    sign = measured[0].numbers[measured[0].single].better if measured else 1
    return sorted(known, key=lambda name: (sign * averages[name], name))[:count]


def failure_tables(subject: Subject) -> list[Failures]:
    """The worst images of each task, method and label setting."""
    tables = []
    for labels in subject.labels:
        own = [source for source in subject.firsts() if source.labels == labels]
        for task in subject.tasks:
            methods = {source.method: source.tasks[task].worst(_LISTED) for source in own if task in source.tasks}
            if any(methods.values()):
                metric = next(source.tasks[task].single for source in own if task in source.tasks)
                shown = {name: [(image, show(value)) for image, value in worst] for name, worst in methods.items()}
                tables.append(Failures(labels, task, metric, shown))
    return tables
