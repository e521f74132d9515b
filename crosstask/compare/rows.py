"""The rows of a comparison's tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crosstask.compare.statistics import Interval, Recovered


@dataclass(frozen=True)
class Difference:
    """A paired difference over seeds.

    Attributes:
        baseline: the method it is to.
        seeds: those both methods have.
        mean: method - baseline.
        interval: by Student's t.
        bootstrap: percentile bootstrap over seeds.
        verdict: better, worse or not shown, by ``interval``.
        p: two-sided, of the paired t test.
    """

    baseline: str
    seeds: list[int]
    mean: float
    interval: Interval
    bootstrap: Interval
    verdict: str
    p: float


@dataclass(frozen=True)
class Score:
    """One metric of one task, of a method with the labels of a setting.

    Attributes:
        labels: the label setting.
        method: the method.
        task: the task.
        metric: the metric.
        better: +1 where more is better, -1 where less is, 0 where it is only information.
        primary: whether the metric is the one to compare by.
        seeds: those that are finished.
        mean: over seeds.
        deviation: over seeds, n - 1 in the denominator.
        difference: to ``supervised`` with the same labels; None for itself.
        recovered: fraction of the gap to full labels; None where none can be asked for.
        protocol: how the metric is measured.
        corrected: p of the difference, corrected for the number of differences of primary metrics in the comparison.
    """

    labels: str
    method: str
    task: str
    metric: str
    better: int
    primary: bool
    seeds: list[int]
    mean: float
    deviation: float
    difference: Difference | None
    recovered: Recovered | None
    protocol: str
    corrected: float = math.nan


@dataclass(frozen=True)
class Gain:
    """Delta of a method over a baseline with the same labels, in percent; see :func:`relative_gain`."""

    labels: str
    method: str
    deviation: float
    difference: Difference


@dataclass(frozen=True)
class CostRow:
    """What a method takes, and relative to ``supervised`` with the same labels and seeds (NaN: not known)."""

    labels: str
    method: str
    seeds: list[int]
    seconds: float
    relative_seconds: float
    memory: float
    relative_memory: float


@dataclass(frozen=True)
class Point:
    """A point of the label-efficiency curve: with how many labels which primary number is reached."""

    labels: str
    method: str
    task: str
    metric: str
    better: int
    count: float
    mean: float
    deviation: float
    seeds: list[int]
