"""Learning from labels before predictions are refined: the deep supervision of AuxSegNet (arXiv 2107.11787).

    L = L_tags + (L_sal(initial) + L_sal(refined)) + (L_seg(initial) + L_seg(refined))

``supervised`` gives the terms of the tags and of what is refined; this objective those of the initial predictions.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.heads import initial
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Initial(Objective):
    """Each refined task's own loss on its prediction before refinement; one term per task.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example(decoder="affinity")
    >>> sorted(Initial(tasks, network)(step))
    ['depth', 'normals', 'semantic']

    Raises:
        RecipeError: the network refines no prediction.
    """

    first_view = True

    def __init__(self, tasks: Mapping[str, Task], network: MultiTaskNetwork) -> None:
        super().__init__()
        names = [name for group in network.decoder.refined for name in group]
        if not names:
            raise RecipeError(
                "objectives.initial: the network refines no prediction: set network.decoder: affinity (with an "
                "affinity other than none), or leave the objective out"
            )
        self.tasks = {name: tasks[name] for name in names}

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        batch = step.batch
        return {
            name: task.loss(step.predictions[initial(name)], batch.targets[name], batch.weights.get(name))
            for name, task in self.tasks.items()
        }

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: task.count(batch.targets[name], batch.weights.get(name)) for name, task in self.tasks.items()}
