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

    Args:
        tasks: the tasks by name.
        network: not looked at.
        made: also learn from labels that a network made (``TASK.source``); without, leave them to another objective.
    """

    first_view = True

    def __init__(self, tasks: Mapping[str, Task], network: MultiTaskNetwork, made: bool = True) -> None:
        super().__init__()
        self.tasks, self.made = tasks, made

    def term_names(self) -> list[str]:
        return list(self.tasks)

    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        return {
            name: task.loss(step.predictions[name], batch.targets[name], self._weight(batch, name))
            for name, task in self.tasks.items()
        }

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: task.count(batch.targets[name], self._weight(batch, name)) for name, task in self.tasks.items()}

    def _weight(self, batch: Batch, name: str) -> Tensor | None:
        return batch.weights.get(name) if self.made else batch.weight_of(name, made=False)
