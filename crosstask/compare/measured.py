"""What the finished runs of a comparison have to say."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosstask.compare.cell import RESULTS, finished
from crosstask.compare.grid import Cell, Grid
from crosstask.errors import UserError
from crosstask.evaluation.results import Results, TaskResults
from crosstask.recipe.written import task_names
from crosstask.schema import read_as
from crosstask.training.run import Run


@dataclass(frozen=True)
class Environment:
    """What is needed of a run's ``environment.json``: with how many labels each task was trained."""

    training_labels: dict[str, int]


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Attributes:
        seconds: per optimiser step, the median over the lines of the log; the sum over the runs of ``single``.
        memory: most bytes held while training, see :func:`~crosstask.training.cost.peak_memory`; the largest of the
            runs of ``single``. None where it is not known.
    """

    seconds: float
    memory: int | None


@dataclass(frozen=True)
class Measured:
    """A finished cell.

    Attributes:
        cell: which one.
        tasks: the numbers of each task on the test split.
        settings: how they were measured.
        labels: with how many labels each task was trained.
        cost: what it took.
    """

    cell: Cell
    tasks: dict[str, TaskResults]
    settings: dict[str, str]
    labels: dict[str, int]
    cost: Cost

    def value(self, task: str, metric: str) -> float:
        """The value of one metric of one task."""
        return self.tasks[task].numbers[metric].value

    def scores(self) -> dict[str, float]:
        """The primary number of each task."""
        return {name: task.score for name, task in self.tasks.items()}


def read_measured(grid: Grid) -> list[Measured]:
    """The finished cells of a grid, in its order; a cell of single tasks counts when all its runs are finished."""
    tasks = task_names(grid.path / "recipe.yaml")
    found = []
    for cell in grid.cells:
        paths = list(grid.runs(cell, tasks).values())
        if all(finished(path) for path in paths):
            found.append(_joined(cell, [_read(cell, path) for path in paths]))
    return found


def _read(cell: Cell, path: Path) -> Measured:
    results = Results.load(path / RESULTS)
    file = path / "environment.json"
    labels = read_as(file, Environment, "train the run again").training_labels
    if missing := next((task for task in results.tasks if task not in labels), None):
        raise UserError(f"{file}: training_labels.{missing}: missing: train the run again")
    settings = {"images": str(results.images), **results.settings}
    return Measured(cell, results.tasks, settings, labels, read_cost(Run(path)))


def read_cost(run: Run) -> Cost:
    """What a run took; its first lines, in which things warm up, count where there are no others."""
    lines = [record for record in run.records() if record["kind"] == "train" and "seconds_per_step" in record]
    if not lines:
        raise UserError(f"{run.metrics_path}: no line of training in it: restore the file, or train the run again")
    steady = lines[1:] or lines
    memory = [record["peak_memory"] for record in lines if record.get("peak_memory") is not None]
    return Cost(
        seconds=statistics.median(record["seconds_per_step"] for record in steady),
        memory=max(memory) if memory else None,
    )


def _joined(cell: Cell, parts: Sequence[Measured]) -> Measured:
    """Runs of single tasks as one."""
    memory = [part.cost.memory for part in parts if part.cost.memory is not None]
    return Measured(
        cell,
        {name: task for part in parts for name, task in part.tasks.items()},
        parts[0].settings,
        {name: count for part in parts for name, count in part.labels.items()},
        Cost(sum(part.cost.seconds for part in parts), max(memory) if memory else None),
    )
