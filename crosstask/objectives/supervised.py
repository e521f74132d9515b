"""Learning from the labels that exist."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError, nearest
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.whole_batch import whole_loss
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Supervised(Objective):
    """Each task's own loss on its known labels; one term per task.

    Every known entry counts once over the whole step, so a task labelled on a third of the images is averaged over
    those. (The released codes of several papers average per image first, which gives an image with few known pixels
    the same say as a full one.) A loss that compares samples (``Task.additive`` is false) compares those of all
    processes.

    Args:
        only: the tasks that are learned from their labels; all where null. One name makes a single-task baseline of a
            recipe of many tasks, whose label protocol stays what it is.

    Raises:
        RecipeError: ``only`` names no task.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = Supervised(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'semantic': 1536, 'depth': 1536, 'normals': 1536, 'room': 1, 'objects': 13, 'measures': 3}
    """

    first_view = True

    def __init__(self, tasks: Mapping[str, Task], network: MultiTaskNetwork, only: list[str] | None = None) -> None:
        super().__init__()
        for name in only or []:
            if name not in tasks:
                raise RecipeError(f"objectives.supervised.only: there is no task {name!r}; {nearest(name, tasks)}")
        if only is not None and not only:
            raise RecipeError("objectives.supervised.only: expected the names of tasks, found []: null for all")
        self.tasks = {name: task for name, task in tasks.items() if only is None or name in only}

    def term_names(self) -> list[str]:
        return list(self.tasks)

    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        terms = {
            name: whole_loss(task, step.predictions[name], batch.targets[name], batch.weights.get(name))
            for name, task in self.tasks.items()
        }
        if others := [prediction for name, prediction in step.predictions.items() if name not in terms]:
            first, (total, count) = next(iter(terms.items()))  # no parameter goes unused on any process
            terms[first] = Term(total + Term.zero(*others).total, count)
        return terms

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: task.count(batch.targets[name], batch.weights.get(name)) for name, task in self.tasks.items()}
