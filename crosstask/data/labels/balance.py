"""How often classes occur in the labels that are trained on, for tasks that ask for balanced weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crosstask.data.loading.dataset import Dataset
from crosstask.data.loading.readable import OnError, readable
from crosstask.tasks.base import Task
from crosstask.tasks.classification import Classification

MOST = 400
"""Labels that are looked at, spread evenly over those there are."""


def balance_classes(tasks: Mapping[str, Task], train: Dataset, on_error: OnError = "fatal") -> None:
    """Set the weights of the tasks with ``class_weights: balanced``, from at most 400 of their training labels.

    Raises:
        DataError: a file is missing or broken, and ``on_error`` is fatal.
    """
    labelled = train.labelled()
    for position, (name, task) in enumerate(tasks.items()):
        if isinstance(task, Classification) and task.balanced:
            rows = labelled[:, position].nonzero()[:, 0].tolist()
            picked = [rows[index * len(rows) // MOST] for index in range(MOST)] if len(rows) > MOST else rows
            only = torch.zeros_like(labelled)
            only[:, position] = True
            task.balance(_counts(train.keep(labelled & only), name, picked, task.channels, on_error))


def _counts(dataset: Dataset, name: str, rows: list[int], classes: int, on_error: OnError) -> Tensor:
    counts = torch.zeros(classes, dtype=torch.long)
    for _, sample in readable(dataset, rows, on_error):
        ids = sample.targets[name].as_subclass(Tensor).flatten()
        counts += torch.bincount(ids[ids >= 0], minlength=classes)
    return counts
