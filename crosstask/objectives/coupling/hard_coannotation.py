"""Hard co-annotation: Kollias, Sharmanska and Zafeiriou, "Face Behavior a la carte: Expressions, Affect and Action
Units in a Single Network" (arXiv 1910.11111), the baseline of the soft one.

A class label e makes the attributes with R[e, i] > 0 present, each with weight R[e, i] in the loss; about the others it
says nothing. Attribute labels make the class all of whose related attributes are present; of several the one with the
most; none if there is no such class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.objectives.coupling.coupling import Coupling
from crosstask.ops.relatedness import complete_class
from crosstask.ranges import Share
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Made(NamedTuple):
    """Labels made from those of the other task.

    Attributes:
        classes: (B,) int64, -1 where none is made.
        attributes: (B, C), 1 where present, NaN where none is made.
        weights: (B, C) of the attributes.
    """

    classes: Tensor
    attributes: Tensor
    weights: Tensor


class HardCoannotation(Coupling):
    """Labels of one task made from those of the other; a true label is never replaced.

    Terms: ``classes`` and ``attributes``, each the loss of its task on the labels that were made.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = HardCoannotation(tasks, network, classes="room", attributes="objects", relatedness="rooms")
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'classes': 0, 'attributes': 5}

    Args:
        classes: name of the category task.
        attributes: name of the task of tags.
        relatedness: a table of relatedness: a file, or the name of a shipped one.
        related_from: cells below this are no relation. Needed for counted tables, in which hardly a cell is 0.

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
        related_from: Share = 0.0,
    ) -> None:
        super().__init__(tasks, classes, attributes, relatedness, binary_from=None)
        if self.exclusive:
            raise ValueError(f"task {attributes!r} is a category: hard co-annotation needs tags")
        cells = self.relatedness
        self.relatedness = cells.where((cells >= related_from) | cells.isnan(), 0.0)

    @override
    def term_names(self) -> list[str]:
        return ["classes", "attributes"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        made = self.made(step.batch)
        classes, attributes = (step.predictions[task.name] for task in (self.classes, self.attributes))
        return {
            "classes": self.classes.loss(classes, made.classes),
            "attributes": self.attributes.loss(attributes, made.attributes, made.weights),
        }

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        made = self.made(batch)
        return {
            "classes": self.classes.count(made.classes),
            "attributes": self.attributes.count(made.attributes, made.weights),
        }

    def made(self, batch: Batch) -> Made:
        """The labels that a batch lacks and the other task's labels make."""
        labels, attributes = batch.targets[self.classes.name], batch.targets[self.attributes.name]
        weights = self.relatedness[labels.clamp(min=0)].nan_to_num(0)
        present = attributes.isnan() & (labels >= 0)[:, None] & (weights > 0)
        return Made(
            complete_class(attributes, self.relatedness).where(labels < 0, -1),
            torch.ones_like(attributes).where(present, torch.nan),
            weights,
        )
