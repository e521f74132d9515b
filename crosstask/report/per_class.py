"""The number of each class (IoU, say) by method."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crosstask.compare.statistics import mean
from crosstask.evaluation.results import NOT_MEASURED
from crosstask.report.subject import Subject


@dataclass(frozen=True)
class Classes:
    """The classes of a task with the labels of a setting.

    Attributes:
        labels: the label setting.
        task: the task.
        methods: the methods, one column each.
        rows: per class its name and, per method, the mean over seeds as text and the length of a bar in percent.
    """

    labels: str
    task: str
    methods: list[str]
    rows: list[tuple[str, list[tuple[str, float]]]]


def class_tables(subject: Subject) -> list[Classes]:
    """A table per label setting and task that has numbers of classes."""
    tables = []
    for labels in subject.labels:
        for task in subject.tasks:
            columns, scale = {}, 100.0
            for method in subject.methods:
                measured = [source.tasks[task] for source in subject.of(labels, method) if task in source.tasks]
                seeds = [each.per_class for each in measured]
                if seeds and seeds[0]:
                    scale = measured[0].scale or scale
                    columns[method] = {name: mean([each.get(name, math.nan) for each in seeds]) for name in seeds[0]}
            if columns:
                names = dict.fromkeys(name for column in columns.values() for name in column)
                rows = [
                    (name, [_cell(column.get(name, math.nan), scale) for column in columns.values()]) for name in names
                ]
                tables.append(Classes(labels, task, list(columns), rows))
    return tables


def _cell(value: float, scale: float) -> tuple[str, float]:
    if math.isnan(value):
        return NOT_MEASURED, 0.0
    return f"{value:.{1 if scale >= 100 else 3}f}", 100 * max(min(value / scale, 1.0), 0.0)
