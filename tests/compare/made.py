"""Made-up finished cells with numbers chosen by hand."""

from __future__ import annotations

from pathlib import Path

from crosstask.compare.grid import Cell, Grid
from crosstask.compare.measured import Cost, Measured
from crosstask.entries import Method
from crosstask.evaluation.results import Number, TaskResults

NAN = float("nan")


def task(value: float, better: int, metric: str) -> TaskResults:
    """A task with one number."""
    return TaskResults("made", "made up", metric, {metric: Number(value, NAN, NAN, better)}, known=1, images=1)


def measured(cell: Cell, iou: float, error: float, seconds: float = 1.0, memory: int | None = 100, labels: int = 5):
    """A finished cell with a task of which more is better and one of which less is."""
    tasks = {"semantic": task(iou, 1, "miou"), "depth": task(error, -1, "abs")}
    counts = dict.fromkeys(tasks, labels)
    return Measured(cell, tasks, {"images": "1", "split": "test", "weights": "last"}, counts, Cost(seconds, memory))


def grid(methods: list[str], labels: list[str], seeds: list[int], path: Path = Path("out")) -> Grid:
    """A grid of methods that are never trained."""
    made = {name: Method(name, name, [{"objectives": [name]}]) for name in methods}
    return Grid.product(path, made, labels, seeds, "crosstask compare made.yaml")
