"""From a table of files with labels of two tasks to a table of how their classes are related."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import torch

from crosstask.data.table.blanks import without_blanks
from crosstask.data.table.table import Table
from crosstask.errors import DataError, RecipeError
from crosstask.ranges import Factor, Share, Steps
from crosstask.relatedness.estimate import Estimate, count, means, shares
from crosstask.relatedness.table import Relatedness
from crosstask.tasks.base import Task
from crosstask.writing import write


@dataclass(frozen=True)
class RelateOptions:
    """How relatedness is counted.

    Args:
        min_support: least number of samples a cell is estimated from; cells with fewer are unknown.
        smoothing: made-up samples added with and without each attribute (1: Laplace's rule; 0: none).
        floor: estimates below become 0, not related.
        level: level of the confidence intervals.
    """

    min_support: Steps = 5
    smoothing: Factor = 1.0
    floor: Share = 0.0
    level: Share = 0.95

    def __post_init__(self) -> None:
        if self.min_support < 1 or self.smoothing < 0:
            raise ValueError(f"min_support and smoothing: found {self}: give at least 1 and 0")
        if not 0 <= self.floor < 1:
            raise ValueError(f"floor: found {self.floor}: give at least 0 and less than 1")
        if not 0 < self.level < 1:
            raise ValueError(f"level: found {self.level}: give more than 0 and less than 1")


@dataclass(frozen=True)
class Inferred:
    """A table of relatedness and how sure it is.

    Attributes:
        table: the table.
        estimate: its cells with intervals and support.
        samples: rows with a given label of both tasks.
    """

    table: Relatedness
    estimate: Estimate
    samples: int

    def write_support(self, path: str | Path) -> None:
        """Write a CSV file with a row per cell: class, attribute, value, low, high, support."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["class", "attribute", "value", "low", "high", "support"])
        for row, name in enumerate(self.table.classes):
            for column, attribute in enumerate(self.table.attributes):
                numbers = [float(part[row, column]) for part in self.estimate]
                writer.writerow([name, attribute, *("" if each != each else f"{each:.6g}" for each in numbers)])
        write(path, text.getvalue())


def infer(table: Table, of: Task, to: Task, options: RelateOptions | None = None) -> Inferred:
    """R[class, attribute] from the rows of ``table`` that have labels of both tasks which no network made.

    Args:
        table: rows with a column for each task; give it the training rows only.
        of: a category task.
        to: a task of tags, categories (rows of R then sum to 1), or scalars (R holds means).

    Raises:
        RecipeError: the tasks are of other kinds, or the floor leaves nothing of a class.
        DataError: no row has both labels, or a cell is not valid.
    """
    options = options or RelateOptions()
    if of.kind != "category" or to.kind not in ("tags", "category", "scalars"):
        raise RecipeError(
            f"relatedness is of a category to tags, a category or scalars, not of {of.name} ({of.kind}) to {to.name} "
            f"({to.kind}): give such tasks to --of and --to"
        )
    table, _ = without_blanks(table, {of.name: of, to.name: to}, {})
    both = table.given([of.name, to.name]).all(1).nonzero().flatten().tolist()
    if not both:
        raise DataError(f"{table.path}: no row has a label of both {of.name} and {to.name}: nothing to count")
    classes = torch.stack([_parsed(table, row, of) for row in both])
    attributes = to.values(torch.stack([_parsed(table, row, to) for row in both]))
    counts = count(classes, attributes, of.channels)
    if to.kind == "scalars":
        estimate = means(counts, options.min_support, options.level)
    else:
        estimate = shares(
            counts, options.smoothing, options.floor, options.min_support, options.level, to.kind == "category"
        )
        _require_left(estimate, of, options)
    made = Relatedness(str(table.path), tuple(of.classes), tuple(to.classes), estimate.values)
    return Inferred(made, estimate, len(both))


def _require_left(estimate: Estimate, of: Task, options: RelateOptions) -> None:
    lost = (estimate.values.isnan() & (estimate.support >= options.min_support)).any(1).nonzero().flatten().tolist()
    if lost:
        name = of.classes[lost[0]]
        raise RecipeError(f"--floor {options.floor:g}: nothing of class {name!r} is left: lower it")


def _parsed(table: Table, row: int, task: Task) -> torch.Tensor:
    try:
        return task.parse(table.rows[row][task.name]).as_subclass(torch.Tensor)
    except ValueError as error:
        raise DataError(f"{table.where(row, task.name)}: {error}") from None
