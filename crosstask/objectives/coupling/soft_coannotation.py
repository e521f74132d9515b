"""Soft co-annotation: Kollias, Sharmanska and Zafeiriou, "Distribution Matching for Multi-Task Learning of
Classification Tasks", AAAI 2024 (arXiv 2401.01219).

The labels of one task become soft labels of the other where that has none. From attribute labels y,

    I(e) = sum_i R[e, i] y_i / sum_i R[e, i]        how much of what goes with class e is there
    q    = softmax(I / T)                           T = 1 in the paper
    L    = mean over samples of -sum_e q(e) log p(e)

and from the label e of a class, R[e, i] as the probability of attribute i.

The full text and the code of the paper are not public. As we know it, the printed loss has the prediction outside the
logarithm, -sum_e p(e) log q(e): linear in p, so that it is least for certainty in the likeliest class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.objectives.coupling.coupling import Coupling, Direction
from crosstask.ops.relatedness import SCORES, Distribution, categorical, cross_entropy, of_probabilities
from crosstask.ranges import Positive, Share
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision
from crosstask.tasks.term import Term

_NEVER = -1e30  # logit of a class that is left out; finite, so that 0 times it is 0


class Soft(NamedTuple):
    """Soft labels, (B, C); what is not used holds harmless numbers.

    Attributes:
        target: the probabilities.
        use: the entries that are labels.
    """

    target: Tensor
    use: Tensor


class SoftCoannotation(Coupling):
    """Soft labels of one task from the labels of the other; a true label is never replaced.

    Terms: ``classes``, a mean over the samples that have attribute labels and no class, and ``attributes``, a mean over
    the attributes that have no label on samples that have a class (over samples where the attributes are a second
    category). Attributes without a label take no part in I, and a class none of whose attributes has one is left out:
    the prediction is compared over the other classes only.

    With T = 1 soft classes are nearly flat: one I of 1 among six of 0 gives q = 0.31. ``likelihood`` is our own rule,
    q(e) ~ P(y | e): attributes that do not go with a class count against it.

    Published weight: 1.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = SoftCoannotation(tasks, network, classes="room", attributes="objects", relatedness="rooms")
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'classes': 1, 'attributes': 13}

    Args:
        classes: name of the category task.
        attributes: name of the task of tags, or of the second category.
        relatedness: a table of relatedness: a file, or the name of a shipped one.
        binary_from: cells of at least this become 1, the others 0; null keeps the shares.
        rule: how attributes score a class: indicator (as published) or likelihood.
        temperature: T.
        neutral: a class without any related attribute (a neutral face) has I = 0 (zero), or is left out (leave_out).
        form: standard, or as_printed (the prediction outside the logarithm).
        direction: to_classes, to_attributes, or both.

    Raises:
        ValueError: a task is missing or of another kind, or the temperature is not positive.
        DataError: the table cannot be used.
    """

    unrelated: Tensor

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        classes: str,
        attributes: str,
        relatedness: str,
        binary_from: Share | None = None,
        rule: Literal["indicator", "likelihood"] = "indicator",
        temperature: Positive = 1.0,
        neutral: Literal["zero", "leave_out"] = "zero",
        form: Literal["standard", "as_printed"] = "standard",
        direction: Direction = "both",
    ) -> None:
        super().__init__(tasks, classes, attributes, relatedness, binary_from)
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, found {temperature}")
        self.rule, self.temperature, self.neutral = rule, temperature, neutral
        self.as_printed = form == "as_printed"
        made = {"to_classes": "classes", "to_attributes": "attributes"}
        self.terms = list(made.values()) if direction == "both" else [made[direction]]
        unrelated = (self.relatedness == 0).any(1) & ~(self.relatedness > 0).any(1)
        self.register_buffer("unrelated", unrelated, persistent=False)

    @override
    def term_names(self) -> list[str]:
        return list(self.terms)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        losses: dict[str, Callable[[Step, Soft], Tensor]] = {"classes": self._classes, "attributes": self._attributes}
        labels = self.labels(step.batch)
        return {name: Term(losses[name](step, soft), self._count(name, soft)) for name, soft in labels.items()}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: self._count(name, soft) for name, soft in self.labels(batch).items()}

    def labels(self, batch: Batch) -> dict[str, Soft]:
        """The soft labels of each term."""
        made = {"classes": self.soft_classes, "attributes": self.soft_attributes}
        return {name: made[name](batch) for name in self.terms}

    def soft_classes(self, batch: Batch) -> Soft:
        """Probabilities (B, A) of the classes, from the attribute labels."""
        attributes = full_precision(self.attributes.values(batch.targets[self.attributes.name]))
        scores = SCORES[self.rule](attributes, self.relatedness, not self.exclusive)
        if self.neutral == "zero":
            scores = scores.where(~(self.unrelated & scores.isnan()), 0.0)
        missing = batch.targets[self.classes.name] < 0
        scored = ~scores.isnan()
        labelled = missing & (~attributes.isnan()).any(1) & (scored.sum(1) > 1)
        use = scored & labelled[:, None]
        scores = (scores / self.temperature).where(use, _NEVER * labelled[:, None].to(scores))
        return Soft(scores.softmax(1), use)

    def soft_attributes(self, batch: Batch) -> Soft:
        """Probabilities (B, C) of the attributes, from the class labels."""
        missing = self.attributes.values(batch.targets[self.attributes.name]).isnan()
        labels = batch.targets[self.classes.name]
        target = self.relatedness[labels.clamp(min=0)]
        use = missing & (labels >= 0)[:, None] & ~target.isnan()
        return Soft(target.where(use, 0.5), use)

    def _count(self, name: str, soft: Soft) -> Tensor:
        entries = soft.use if name == "attributes" and not self.exclusive else soft.use.any(1)
        return entries.float().sum()

    def _classes(self, step: Step, soft: Soft) -> Tensor:
        used = soft.use.any(1, keepdim=True)
        logits = full_precision(step.predictions[self.classes.name]).where(used, 0.0)
        logits = logits.masked_fill(used & ~soft.use, _NEVER)
        return self._sum(of_probabilities(soft.target, complement=False), categorical(logits), soft.use)

    def _attributes(self, step: Step, soft: Soft) -> Tensor:
        logits = full_precision(step.predictions[self.attributes.name]).where(soft.use, 0.0)
        soft_labels = of_probabilities(soft.target, complement=not self.exclusive)
        return self._sum(soft_labels, self.attribute_distribution(logits), soft.use)

    def _sum(self, soft: Distribution, predicted: Distribution, use: Tensor) -> Tensor:
        loss = cross_entropy(predicted, soft) if self.as_printed else cross_entropy(soft, predicted)
        return loss.where(use, 0.0).sum()
