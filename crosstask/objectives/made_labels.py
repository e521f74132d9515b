"""Learning from labels that a network made: those of teachers, in rounds or from outside.

    L_t = 1 / W_t sum_u w_u l_t(prediction_u, label_u)

over the entries u of task t whose label has a source (``TASK.source``), with their weights w (``TASK.weight``) and
W_t = sum w. l_t is the loss of the task, but for depth: free of scale in each image, with matched gradients
(:func:`crosstask.tasks.scale_free.scale_free`), so that the metres come from labels that were given. To be used beside
``supervised: {made: false}``, which then leaves these labels alone; ``supervised`` alone takes them as any others.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.chosen import chosen
from crosstask.objectives.shared.whole_batch import whole_loss
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class MadeLabels(Objective):
    """Labels that a network made; one term per task.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> terms = MadeLabels(tasks, network, only=["semantic", "depth"])(step)
    >>> {name: int(term.count) for name, term in terms.items()}  # the batch holds no made labels
    {'semantic': 0, 'depth': 0}

    Args:
        tasks: the tasks by name.
        network: not looked at.
        only: the tasks that learn so; all by default.
        own_loss: tasks that keep their own loss, depth in metres say.

    Raises:
        RecipeError: an unknown task.
    """

    first_view = True

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        only: list[str] | None = None,
        own_loss: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.tasks = chosen(tasks, only, "objectives.made_labels.only")
        self.own_loss = set(chosen(tasks, own_loss, "objectives.made_labels.own_loss")) if own_loss else set()

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        terms = {}
        for name, task in self.tasks.items():
            loss = task.loss if name in self.own_loss else task.made_loss
            weight = batch.weight_of(name, made=True)
            terms[name] = whole_loss(task, step.predictions[name], batch.targets[name], weight, loss)
        return terms

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {
            name: task.count(batch.targets[name], batch.weight_of(name, made=True)) for name, task in self.tasks.items()
        }
