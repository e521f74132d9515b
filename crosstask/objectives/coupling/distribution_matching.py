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
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.objectives.coupling.coupling import Coupling, Direction
from crosstask.ops.relatedness import Distribution, cross_entropy, mixture, of_probabilities
from crosstask.ranges import Share
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


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
