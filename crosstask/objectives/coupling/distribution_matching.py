"""Distribution matching: Kollias, Sharmanska and Zafeiriou, "Distribution Matching for Multi-Task Learning of
Classification Tasks", AAAI 2024 (arXiv 2401.01219).

The predicted classes p(e) of one task say through R[e, i] = P(attribute i | class e) what the attributes of the other
task should be, on every sample, whatever it is labelled for:

    q_i = sum_e p(e) R[e, i]                    the mixture over classes
    L   = mean over samples of sum_i CE(p_i, q_i)

with p_i the predicted probability of attribute i.

The full text and the code of the paper are not public. As we know it, the printed loss is one-sided, CE = -p_i log q_i,
and names no stop-gradient. That loss alone is least where all attributes are absent: both predictions collapse. The
form ``bernoulli`` adds the missing half, -(1 - p_i) log(1 - q_i); it is the default, and so is a stop-gradient on the
target of each direction, without which a cross-entropy also sharpens its target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import DataError, nearest
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.ops.relatedness import Distribution, bernoulli, categorical, cross_entropy, mixture, of_probabilities
from crosstask.ranges import Share
from crosstask.relatedness import read_relatedness
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision
from crosstask.tasks.term import Term

Direction = Literal["both", "to_classes", "to_attributes"]


class Coupling(Objective):
    """What the coupling objectives share: a category task, a task of attributes, and how they are related.

    Args:
        tasks: the tasks of the recipe.
        classes: name of the category task.
        attributes: name of the task of tags, or of the second category.
        relatedness: a table of relatedness: a file, or the name of a shipped one.
        binary_from: cells of at least this become 1, the others 0.

    Raises:
        ValueError: a task is missing or of another kind.
        DataError: the table cannot be used; names what does not match.
    """

    relatedness: Tensor

    def __init__(
        self, tasks: Mapping[str, Task], classes: str, attributes: str, relatedness: str, binary_from: float | None
    ) -> None:
        super().__init__()
        self.classes = coupled_task(tasks, classes, ("category",))
        self.attributes = coupled_task(tasks, attributes, ("tags", "category"))
        self.exclusive = self.attributes.kind == "category"
        try:
            table = read_relatedness(relatedness).aligned(self.classes.classes, self.attributes.classes)
            if binary_from is not None:
                table = table.binary(binary_from)
            table = table.require_shares() if self.exclusive else table.informative()
        except DataError as error:
            raise DataError(f"relatedness: {error}") from None
        self.register_buffer("relatedness", table.values.float())

    def attribute_distribution(self, prediction: Tensor) -> Distribution:
        """Predicted attributes: several of them, or one."""
        return (categorical if self.exclusive else bernoulli)(full_precision(prediction))


def coupled_task(tasks: Mapping[str, Task], name: str, kinds: tuple[str, ...]) -> Task:
    """The task ``name``.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    if name not in tasks:
        raise ValueError(f"classes, attributes or scalars: there is no task {name!r} to couple; {nearest(name, tasks)}")
    if tasks[name].kind not in kinds:
        raise ValueError(f"task {name!r} is of kind {tasks[name].kind}: coupling needs {' or '.join(kinds)}")
    return tasks[name]


class DistributionMatching(Coupling):
    """Agreement of the predicted classes and the predicted attributes on every sample.

    Two terms, each a mean over samples of a sum over attributes: ``to_classes`` (the attributes are the target) and
    ``to_attributes`` (the mixture is). An unknown cell of R leaves its class out of the mixture of its attribute, and
    the loss counts by how much of the prediction lies on the other classes. A column without any relation says nothing
    and is left out. Where the attributes are a second category, the rows of R sum to 1, and the loss is the categorical
    cross-entropy.

    The loss as printed is ``form: as_printed, direction: to_classes, stop_gradient: false``. Published weight: 1.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = DistributionMatching(tasks, network, classes="room", attributes="objects", relatedness="rooms")
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'to_classes': 2, 'to_attributes': 2}

    Args:
        classes: name of the category task.
        attributes: name of the task of tags, or of the second category.
        relatedness: a table of relatedness: a file, or the name of a shipped one.
        binary_from: cells of at least this become 1, the others 0; null keeps the shares.
        form: bernoulli, or as_printed (without the term of absent attributes; collapses).
        direction: which prediction learns from the other, or both.
        stop_gradient: no gradient to the target of a direction.

    Raises:
        ValueError: a task is missing or of another kind.
        DataError: the table cannot be used.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        classes: str,
        attributes: str,
        relatedness: str,
        binary_from: Share | None = None,
        form: Literal["bernoulli", "as_printed"] = "bernoulli",
        direction: Direction = "both",
        stop_gradient: bool = True,
    ) -> None:
        super().__init__(tasks, classes, attributes, relatedness, binary_from)
        self.complement = form == "bernoulli" and not self.exclusive
        self.stop_gradient = stop_gradient
        self.terms = ["to_classes", "to_attributes"] if direction == "both" else [direction]

    @override
    def term_names(self) -> list[str]:
        return list(self.terms)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        prediction = step.predictions[self.attributes.name]
        attributes = self.attribute_distribution(prediction)
        p, mass = mixture(self.classes.activate(step.predictions[self.classes.name]), self.relatedness)
        mixed = of_probabilities(p, complement=True)
        losses = {
            "to_classes": lambda: self._entropy(attributes, mixed),
            "to_attributes": lambda: self._entropy(mixed, attributes),
        }
        count = self.counts(step.batch)
        return {name: Term((losses[name]() * mass.detach()).sum(), count[name]) for name in self.terms}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        samples = torch.tensor(float(len(batch)), device=batch.images.device)
        return dict.fromkeys(self.terms, samples)

    def _entropy(self, target: Distribution, prediction: Distribution) -> Tensor:
        if self.stop_gradient:
            target = target._replace(p=target.p.detach())
        return cross_entropy(target, prediction if self.complement else prediction._replace(log_complement=None))
