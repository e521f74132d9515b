"""Learning from the labels that exist."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Supervised(Objective):
    """Each task's own loss on its known labels; one term per task.

    Every known entry counts once over the whole step, so a task labelled on a third of the images is averaged over
    those. (The released codes of several papers average per image first, which gives an image with few known pixels
    the same say as a full one.)

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = Supervised(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'semantic': 1536, 'depth': 1536, 'normals': 1536, 'room': 1, 'objects': 13, 'measures': 3}
    """

    first_view = True

    def __init__(self, tasks: Mapping[str, Task], network: MultiTaskNetwork) -> None:
        super().__init__()
        self.tasks = tasks

    def term_names(self) -> list[str]:
        return list(self.tasks)

    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        return {
            name: task.loss(step.predictions[name], batch.targets[name], batch.weights.get(name))
            for name, task in self.tasks.items()
        }

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: task.count(batch.targets[name], batch.weights.get(name)) for name, task in self.tasks.items()}
