"""The numbers of one image that an audit is made of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from crosstask.audit.evidence import Clue
from crosstask.audit.faults import faults_of
from crosstask.audit.kinds import kind_of
from crosstask.data.sample import Batch
from crosstask.evaluation.disagreement import disagreement, relations
from crosstask.evaluation.looks import Looker
from crosstask.tasks.base import Task

DOUBTS, CLUES, FAULTS = 2, 14, 8
READING = DOUBTS + CLUES + 1
"""Numbers per label: measures of doubt, clues, how much more the label than the prediction contradicts other tasks."""
WIDTH = READING * (1 + FAULTS)
"""Numbers per task: those of the label as it is, and with each fault."""


class RowExamination:
    """A batch to one row of floats per image: :data:`WIDTH` for each task, NaN without a label, then the features.

    Args:
        looker: looks at images.
        tasks: the tasks, in the order of the numbers.
        shares: by task, of the labels that are also spoilt on purpose; NaN in the others. All by default.
    """

    def __init__(
        self, looker: Looker, tasks: Mapping[str, Task], shares: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        self.looker, self.tasks, self.related, self.shares = looker, tasks, relations(tasks), shares

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Tensor:
        """float (B, T * WIDTH + D)."""
        look = self.looker(batch.images)
        values = {name: task.activate(look.mean(name)) for name, task in self.tasks.items()}
        labels = [self._labels(batch, index) for index in range(len(batch))]
        rows = torch.full((len(batch), len(self.tasks), 1 + FAULTS, READING), math.nan)
        for index, given in enumerate(labels):
            predicted = {name: value[index] for name, value in values.items()}
            best = predicted | {name: label for name, label in given.items() if label is not None}
            for place, (name, task) in enumerate(self.tasks.items()):
                label = given[name]
                if label is None:
                    continue
                measures = [float(each.mean()) for each in task.uncertainty(look.values(task, index)).values()]
                doubts = (measures + [0.0] * DOUBTS)[:DOUBTS]
                other = next((each[name] for each in labels[index + 1 :] + labels[:index] if each[name] is not None),
                             None)  # fmt: skip
                for reading, form in enumerate([label, *self._spoilt(task, label, other, batch.ids[index])]):
                    if form is not None and not bool(form.isnan().all()):
                        rows[index, place, reading] = torch.tensor(
                            doubts + self._numbers(task, best, predicted, form, batch, index)
                        )
        return torch.cat([rows.flatten(1), look.features], 1)

    def words(self, batch: Batch, index: int, name: str) -> dict[str, Clue]:
        """The clues of one label again, with their words."""
        task = self.tasks[name]
        look = self.looker(batch.images[index : index + 1])
        label = self._labels(batch, index)[name]
        assert label is not None
        return kind_of(task).examine(task, task.activate(look.mean(name))[0], label, batch.images[index])

    def _labels(self, batch: Batch, index: int) -> dict[str, Tensor | None]:
        found = {}
        for name, task in self.tasks.items():
            target = batch.targets[name][index].as_subclass(Tensor)
            found[name] = unknown_apart(task, task.values(target[None])[0], target)
        return found

    def _spoilt(self, task: Task, label: Tensor, other: Tensor | None, identifier: str) -> list[Tensor | None]:
        digest = hashlib.sha256(f"{task.name}\0{identifier}".encode()).digest()
        if int.from_bytes(digest[:4]) >= self.shares.get(task.name, 1.0) * 2**32:
            return []
        chance = np.random.default_rng(int.from_bytes(digest))
        return [fault(label, other, chance) for fault in faults_of(task).values()]

    def _numbers(
        self, task: Task, best: Mapping[str, Tensor], predicted: Mapping[str, Tensor], label: Tensor, batch: Batch,
        index: int,
    ) -> list[float]:  # fmt: skip
        kind = kind_of(task)
        clues = kind.examine(task, predicted[task.name], label, batch.images[index])
        values = [clues[name].value for name in kind.clues]
        camera = batch.intrinsics[index]
        apart = disagreement(task.name, self.related, {**best, task.name: label}, camera)
        less = disagreement(task.name, self.related, {**best, task.name: predicted[task.name]}, camera)
        return [*values, *[math.nan] * (CLUES - len(values)), apart - less]


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
        self.numbers = rows[:, :split].reshape(len(rows), len(tasks), 1 + FAULTS, READING)
        self.features = rows[:, split:]
        self.clues = [kind_of(task).clues for task in tasks.values()]
        self.faults = [list(faults_of(task)) for task in tasks.values()]

    def readings(self, task: int) -> np.ndarray:
        """Of each label as it is and with each of its faults all numbers, (N, 1 + F, READING); NaN unknown."""
        return self.numbers[:, task, : 1 + len(self.faults[task])]

    def clue(self, task: int, name: str) -> np.ndarray:
        """One clue of a task, (N,)."""
        return self.numbers[:, task, 0, DOUBTS + self.clues[task].index(name)]
