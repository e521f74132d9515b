"""Learning from the labels that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.averages import per_image
from crosstask.objectives.shared.chosen import chosen
from crosstask.objectives.shared.whole_batch import whole_loss
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Supervised(Objective):
    """Each task's own loss on its known labels; one term per task.

    With ``average: labels`` every known entry counts once over the whole step, so a task labelled on a third of the
    images is averaged over those. With ``average: images`` a term is

        1/B sum_b (mean of the loss over the known entries of image b, 0 without any),

    over all B images of the step: what the released codes of Li et al. (CVPR 2022), joint-task regularisation and
    region contrast minimise. An image with few known pixels then has the same say as a full one, and with one label of
    K tasks per image a term is K times smaller than with ``labels``, so that whatever is added weighs K times as much.
    A loss that compares samples (``Task.additive`` is false) compares those of all processes.

    Args:
        only: the tasks that are learned from their labels; all where null. One name makes a single-task baseline of a
            recipe of many tasks, whose label protocol stays what it is.
        average: over what a term is averaged, labels or images.
        made: also learn from labels that a network made (``TASK.source``), by their weight; without, they are left to
            another objective.

    Raises:
        RecipeError: ``only`` names no task; or terms are averaged over images, and the loss of a task is not one of
            single samples.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = Supervised(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'semantic': 1536, 'depth': 1536, 'normals': 1536, 'room': 1, 'objects': 13, 'measures': 3}
    """

    first_view = True

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        only: list[str] | None = None,
        average: Literal["labels", "images"] = "labels",
        made: bool = True,
    ) -> None:
        super().__init__()
        self.tasks = chosen(tasks, only, "objectives.supervised.only")
        for name, task in self.tasks.items():
            if average == "images" and not task.additive:
                raise RecipeError(
                    f"objectives.supervised.average: images, but the loss of {name} describes a batch, not an image; "
                    f"set tasks.{name}.loss to smooth_l1, or average: labels"
                )
        self.average, self.made = average, made

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        return {
            name: self._term(task, step.predictions[name], batch.targets[name], self._weight(batch, name))
            for name, task in self.tasks.items()
        }

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        if self.average == "images":
            return dict.fromkeys(self.tasks, torch.tensor(float(len(batch)), device=batch.images.device))
        return {name: task.count(batch.targets[name], self._weight(batch, name)) for name, task in self.tasks.items()}

    def _weight(self, batch: Batch, name: str) -> Tensor | None:
        return batch.weights.get(name) if self.made else batch.weight_of(name, made=False)

    def _term(self, task: Task, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Term:
        if self.average == "labels":
            return whole_loss(task, prediction, target, weight)
        total, count = task.loss(prediction, target, per_image(task, target, weight))
        return Term(total, torch.full_like(count, len(target)))
