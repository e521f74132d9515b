"""The numbers of one image that suggestions are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.evaluation.disagreement import disagreement, relations
from crosstask.evaluation.looks import Looker
from crosstask.tasks.base import Task

MEASURES = 2
"""Measures of uncertainty that are kept per task; a kind that has fewer leaves the others 0."""
UNCERTAINTY, DISAGREEMENT, ERROR, WIDTH = 0, MEASURES, MEASURES + 1, MEASURES + 2
"""Places of a task's numbers: the measures of uncertainty, the disagreement with other tasks, the measured error."""


class RowLook:
    """A batch to one row of floats per image: for each task :data:`WIDTH` numbers, then the features.

    Args:
        looker: looks at images.
        tasks: the tasks, in the order of the numbers.
    """

    def __init__(self, looker: Looker, tasks: Mapping[str, Task]) -> None:
        self.looker, self.tasks, self.related = looker, tasks, relations(tasks)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Tensor:
        """float (B, T * WIDTH + D); disagreement is NaN where no other task can be compared, the error where there is
        no label."""
        look = self.looker(batch.images)
        raw = {name: look.mean(name) for name in self.tasks}
        values = {name: task.activate(raw[name]) for name, task in self.tasks.items()}
        rows = torch.full((len(batch), len(self.tasks), WIDTH), math.nan)
        for index in range(len(batch)):
            own = {name: value[index] for name, value in values.items()}
            for place, (name, task) in enumerate(self.tasks.items()):
                measured = [float(each.mean()) for each in task.uncertainty(look.values(task, index)).values()]
                row = rows[index, place]
                row[:MEASURES] = torch.tensor((measured + [0.0] * MEASURES)[:MEASURES])
                row[DISAGREEMENT] = disagreement(name, self.related, own, batch.intrinsics[index])
                target = batch.targets[name][index : index + 1].as_subclass(Tensor)
                row[ERROR] = error(task, raw[name][index : index + 1], target)
        return torch.cat([rows.flatten(1), look.features], 1)


def error(task: Task, prediction: Tensor, target: Tensor) -> float:
    """How wrong the raw prediction of one image (1, C, ...) is: its mean loss; for a loss that compares images with
    each other, the mean distance of the values. NaN without a known entry."""
    if not bool(task.known(target).any()):
        return math.nan
    if not task.additive:
        return float((task.activate(prediction) - task.values(target)).abs().nanmean())
    term = task.loss(prediction, target)
    return float(term.total / term.count)


class RowTable:
    """The rows of a pass, by what they mean.

    Args:
        rows: float32 (N, T * WIDTH + D).
        tasks: the names of the T tasks.
    """

    def __init__(self, rows: np.ndarray, tasks: list[str]) -> None:
        split = len(tasks) * WIDTH
        self.numbers = rows[:, :split].reshape(len(rows), len(tasks), WIDTH)
        self.features = rows[:, split:]

    @property
    def uncertainty(self) -> np.ndarray:
        """(N, T)."""
        return self.numbers[..., UNCERTAINTY]

    @property
    def disagreement(self) -> np.ndarray:
        """(N, T), NaN where nothing can be compared."""
        return self.numbers[..., DISAGREEMENT]

    @property
    def errors(self) -> np.ndarray:
        """(N, T), NaN without a label."""
        return self.numbers[..., ERROR]

    def doubts(self, task: int) -> np.ndarray:
        """All measures of doubt of a task, (N, MEASURES + 1); 0 for what cannot be compared."""
        return np.nan_to_num(self.numbers[:, task, : MEASURES + 1])
