"""The numbers of one image that an audit is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from crosstask.audit.evidence import Clue
from crosstask.audit.kinds import kind_of
from crosstask.data.sample import Batch
from crosstask.evaluation.disagreement import disagreement, relations
from crosstask.evaluation.looks import Looker
from crosstask.tasks.base import Task

DOUBTS, CLUES = 2, 8
WIDTH = DOUBTS + CLUES + 1
"""Numbers per task: measures of doubt, clues, how much more the label than the prediction contradicts other tasks."""


class RowExamination:
    """A batch to one row of floats per image: :data:`WIDTH` for each task, NaN without a label, then the features."""

    def __init__(self, looker: Looker, tasks: Mapping[str, Task]) -> None:
        self.looker, self.tasks, self.related = looker, tasks, relations(tasks)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Tensor:
        """float (B, T * WIDTH + D)."""
        look = self.looker(batch.images)
        values = {name: task.activate(look.mean(name)) for name, task in self.tasks.items()}
        labels = {name: task.values(batch.targets[name].as_subclass(Tensor)) for name, task in self.tasks.items()}
        rows = torch.full((len(batch), len(self.tasks), WIDTH), math.nan)
        for index in range(len(batch)):
            predicted = {name: value[index] for name, value in values.items()}
            given = {name: unknown_apart(task, labels[name][index], batch.targets[name][index])
                     for name, task in self.tasks.items()}  # fmt: skip
            best = predicted | {name: label for name, label in given.items() if label is not None}
            for place, (name, task) in enumerate(self.tasks.items()):
                label = given[name]
                if label is None:
                    continue
                measures = [float(each.mean()) for each in task.uncertainty(look.values(task, index)).values()]
                rows[index, place, :DOUBTS] = torch.tensor((measures + [0.0] * DOUBTS)[:DOUBTS])
                kind = kind_of(task)
                clues = kind.examine(task, predicted[name], label)
                for offset, clue in enumerate(kind.clues):
                    rows[index, place, DOUBTS + offset] = clues[clue].value
                camera = batch.intrinsics[index]
                apart = disagreement(name, self.related, best | {name: label}, camera)
                less = disagreement(name, self.related, best | {name: predicted[name]}, camera)
                rows[index, place, WIDTH - 1] = apart - less
        return torch.cat([rows.flatten(1), look.features], 1)

    def words(self, batch: Batch, index: int, name: str) -> dict[str, Clue]:
        """The clues of one label again, with their words."""
        task = self.tasks[name]
        look = self.looker(batch.images[index : index + 1])
        label = task.values(batch.targets[name][index : index + 1].as_subclass(Tensor))[0]
        given = unknown_apart(task, label, batch.targets[name][index])
        assert given is not None
        return kind_of(task).examine(task, task.activate(look.mean(name))[0], given)


def unknown_apart(task: Task, values: Tensor, target: Tensor) -> Tensor | None:
    """Values of one label (C, ...), NaN where it is unknown; None where nothing is known."""
    known = task.known(target.as_subclass(Tensor))
    if not bool(known.any()):
        return None
    return values.float().where(known, torch.nan)


class Examined:
    """The rows of a pass, by what they mean.

    Args:
        rows: float32 (N, T * WIDTH + D).
        tasks: the T tasks by name.
    """

    def __init__(self, rows: np.ndarray, tasks: Mapping[str, Task]) -> None:
        split = len(tasks) * WIDTH
        self.numbers = rows[:, :split].reshape(len(rows), len(tasks), WIDTH)
        self.features = rows[:, split:]
        self.clues = [kind_of(task).clues for task in tasks.values()]

    def doubts(self, task: int) -> np.ndarray:
        """(N, DOUBTS), NaN without a label."""
        return self.numbers[:, task, :DOUBTS]

    def clue(self, task: int, name: str) -> np.ndarray:
        """One clue of a task, (N,)."""
        return self.numbers[:, task, DOUBTS + self.clues[task].index(name)]

    def disagreement(self, task: int) -> np.ndarray:
        """(N,), NaN where nothing can be compared."""
        return self.numbers[:, task, WIDTH - 1]
