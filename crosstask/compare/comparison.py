"""From finished runs to the rows of the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crosstask.compare.grid import Cell, Grid
from crosstask.compare.measured import Measured, read_measured
from crosstask.compare.rows import CostRow, Difference, Gain, Point, Score
from crosstask.compare.statistics import (
    NO_INTERVAL,
    Recovered,
    bootstrap_interval,
    deviation,
    holm,
    mean,
    p_value,
    recovered,
    relative_gain,
    t_interval,
    verdict,
)
from crosstask.entries import FULL, SINGLE, SUPERVISED


@dataclass
class Comparison:
    """All tables of a grid.

    Attributes:
        grid: what was asked for.
        settings: how the numbers were measured.
        missing: cells that were asked for and are not finished.
        scores: per label setting, method, task and metric.
        gains: Delta over ``supervised`` and, where there are such runs, over ``single``.
        costs: time and memory.
        points: the label-efficiency curve.
    """

    grid: Grid
    settings: dict[str, str]
    missing: list[Cell]
    scores: list[Score] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    costs: list[CostRow] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


def compare(grid: Grid, measured: Sequence[Measured] | None = None) -> Comparison:
    """The tables of the runs that are finished.

    Args:
        grid: the grid.
        measured: its finished cells; read from its folder by default.
    """
    measured = read_measured(grid) if measured is None else measured
    runs = {each.cell: each for each in measured}
    found = Comparison(
        grid, measured[0].settings if measured else {}, [cell for cell in grid.cells if cell not in runs]
    )
    settings = list(dict.fromkeys(cell.labels for cell in grid.cells))
    full = next((runs_ for labels in FULL if (runs_ := _of(runs, SUPERVISED, labels))), {})
    for labels in settings:
        for method in grid.methods:
            own = _of(runs, method, labels)
            if own:
                base = _of(runs, SUPERVISED, labels)
                found.scores += _scores(labels, method, own, base, {} if labels in FULL else full)
                found.gains += [
                    gain
                    for baseline in (SUPERVISED, SINGLE)
                    if baseline != method
                    and (gain := _gain(labels, method, own, baseline, _of(runs, baseline, labels)))
                ]
                found.costs.append(_cost(labels, method, own, base))
                found.points += _points(labels, method, own)
    found.scores = _corrected(found.scores)
    return found


def _corrected(scores: list[Score]) -> list[Score]:
    """With p corrected for the number of comparisons by primary metrics."""
    p_values = [row.difference.p if row.primary and row.difference is not None else math.nan for row in scores]
    return [replace(row, corrected=p) for row, p in zip(scores, holm(p_values), strict=True)]


Runs = dict[int, Measured]
"""Finished runs by seed."""


def _of(runs: dict[Cell, Measured], method: str, labels: str) -> Runs:
    return {cell.seed: run for cell, run in runs.items() if (cell.method, cell.labels) == (method, labels)}


def _scores(labels: str, method: str, own: Runs, base: Runs, full: Runs) -> list[Score]:
    rows = []
    for task, results in next(iter(own.values())).tasks.items():
        for metric, number in results.numbers.items():
            values, others, best = (_values(runs, task, metric) for runs in (own, base, full))
            rows.append(
                Score(
                    labels=labels,
                    method=method,
                    task=task,
                    metric=metric,
                    better=number.better,
                    primary=metric == results.primary,
                    seeds=list(own),
                    mean=mean(list(values.values())),
                    deviation=deviation(list(values.values())),
                    difference=None if method == SUPERVISED else _difference(SUPERVISED, values, others, number.better),
                    recovered=None if method == SUPERVISED or not best else _recovered(values, others, best),
                    protocol=results.protocol,
                )
            )
    return rows


def _values(runs: Runs, task: str, metric: str) -> dict[int, float]:
    """By seed, of the runs that have the task: a method may have one more than its baseline, or one less."""
    return {
        seed: run.value(task, metric)
        for seed, run in runs.items()
        if task in run.tasks and metric in run.tasks[task].numbers
    }


def _difference(baseline: str, values: dict[int, float], others: dict[int, float], better: int) -> Difference:
    seeds = [seed for seed in values if seed in others]
    differences = [values[seed] - others[seed] for seed in seeds]
    if any(math.isnan(difference) for difference in differences):
        return Difference(baseline, seeds, math.nan, NO_INTERVAL, NO_INTERVAL, verdict(NO_INTERVAL, better), math.nan)
    interval, bootstrap = t_interval(differences), bootstrap_interval(differences)
    said = verdict(interval, better)
    return Difference(baseline, seeds, mean(differences), interval, bootstrap, said, p_value(differences))


def _recovered(values: dict[int, float], others: dict[int, float], best: dict[int, float]) -> Recovered:
    seeds = [seed for seed in values if seed in others and seed in best]
    gains = [values[seed] - others[seed] for seed in seeds]
    gaps = [best[seed] - others[seed] for seed in seeds]
    if any(math.isnan(number) for number in (*gains, *gaps)):
        return Recovered(math.nan, NO_INTERVAL)
    return recovered(gains, gaps)


def _gain(labels: str, method: str, own: Runs, baseline: str, base: Runs) -> Gain | None:
    if not base:
        return None
    gains = {}
    for seed in own.keys() & base.keys():
        better = {name: task.numbers[task.primary].better for name, task in own[seed].tasks.items()}
        gains[seed] = relative_gain(own[seed].scores(), base[seed].scores(), better)
    gains = dict(sorted(gains.items()))
    return Gain(
        labels, method, deviation(list(gains.values())), _difference(baseline, gains, dict.fromkeys(gains, 0.0), 1)
    )


def _cost(labels: str, method: str, own: Runs, base: Runs) -> CostRow:
    seeds = [seed for seed in own if seed in base]

    def memory(run: Measured) -> float:
        return math.nan if run.cost.memory is None else float(run.cost.memory)

    return CostRow(
        labels=labels,
        method=method,
        seeds=list(own),
        seconds=mean([run.cost.seconds for run in own.values()]),
        relative_seconds=mean([own[seed].cost.seconds / base[seed].cost.seconds for seed in seeds]),
        memory=mean([memory(run) for run in own.values()]),
        relative_memory=mean([memory(own[seed]) / memory(base[seed]) for seed in seeds]),
    )


def _points(labels: str, method: str, own: Runs) -> list[Point]:
    first = next(iter(own.values()))
    points = []
    for name, task in first.tasks.items():
        scores = [run.tasks[name].score for run in own.values()]
        points.append(
            Point(
                labels=labels,
                method=method,
                task=name,
                metric=task.primary,
                better=task.numbers[task.primary].better,
                count=mean([float(run.labels[name]) for run in own.values()]),
                mean=mean(scores),
                deviation=deviation(scores),
                seeds=list(own),
            )
        )
    return points
