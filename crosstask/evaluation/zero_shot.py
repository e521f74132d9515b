"""Classes nobody annotated, scored from predicted attributes and a table of how they are related.

A network that was trained on action units can tell compound expressions apart, given which units go with each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from crosstask.errors import UserError
from crosstask.evaluation.inference import views_of
from crosstask.ops.relatedness import SCORES
from crosstask.relatedness import Relatedness
from crosstask.tasks import Category, Task
from crosstask.tasks.selection import full_precision

Rule = Literal["likelihood", "indicator"]


def zero_shot_scores(attributes: Tensor, relatedness: Tensor, rule: Rule = "likelihood") -> Tensor:
    """Scores of classes from probabilities of attributes.

    Args:
        attributes: (B, C) probabilities, NaN where unknown.
        relatedness: (A, C), NaN where unknown.
        rule: ``likelihood``, the expected log P(attributes | class) for independent attributes, whose softmax is the
            probability of the classes, all equally likely before; ``indicator``, how much of what goes with a class is
            there (a class without any related attribute scores 0).

    Returns:
        (B, A).
    """
    return SCORES[rule](attributes, relatedness, True).nan_to_num(0)


class Basic(NamedTuple):
    """Classes the network does predict, of which those nobody annotated are made.

    Attributes:
        task: a task of kind category.
        parts: a row for each new class, a column for each class of ``task``: how much of it takes part.
    """

    task: Task
    parts: Relatedness


class ZeroShot(nn.Module):
    """A network with one more category task, predicted from its tags.

    With ``basic``, the predicted probabilities of the basic classes p(b) are added to what the tags say (Kollias,
    Sharmanska and Zafeiriou, arXiv 2105.03790, as we know it; without their third part, the sign of the valence)::

        score(e) = s(e) + sum_b parts[e, b] p(b)

    where s is the indicator, or for the rule ``likelihood`` the probability of the class, the softmax of its scores.

    Args:
        network: images (B, 3, H, W) to raw predictions by task.
        attributes: the task of tags.
        relatedness: a row for each class; a column for each tag.
        name: name of the new task.
        rule: see :func:`zero_shot_scores`.
        basic: classes whose predictions are added; by default the tags alone say.

    Attributes:
        after_views: it works on the mean of the views of an image.

    Raises:
        UserError: the attributes are no tags, the basic classes those of no category, or one that takes part is
            missing.
        DataError: a tag or a basic class has no column, or a class no row.
    """

    after_views = True
    relatedness: Tensor
    parts: Tensor

    def __init__(
        self,
        network: nn.Module,
        attributes: Task,
        relatedness: Relatedness,
        name: str,
        rule: Rule = "likelihood",
        basic: Basic | None = None,
    ) -> None:
        super().__init__()
        if attributes.kind != "tags":
            raise UserError(f"{name}: scored from tags, but {attributes.name!r} is of kind {attributes.kind}")
        table = relatedness.aligned(relatedness.classes, attributes.classes)
        self.network, self.attributes, self.rule = network, attributes, rule
        self.task = Category(name, classes=list(table.classes))
        self.basic = None if basic is None else basic.task.name
        self.register_buffer("relatedness", table.values.float())
        self.register_buffer("parts", None if basic is None else _parts(name, table.classes, basic))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions of all tasks, (B, A) scores of the new one among them."""
        return self._scored(self.network(images))

    def views(self, images: Tensor) -> Iterator[dict[str, Tensor]]:
        """The same of each view that the network averages."""
        return map(self._scored, views_of(self.network, images))

    def _scored(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        predictions = dict(outputs)
        tags = full_precision(predictions[self.attributes.name])
        table = self.relatedness.to(tags.device)
        scores = zero_shot_scores(torch.sigmoid(tags), table, self.rule)
        if self.basic is not None:
            seen = full_precision(predictions[self.basic]).softmax(1)
            scores = scores.softmax(1) if self.rule == "likelihood" else scores
            scores = scores + seen @ self.parts.to(seen).T
        predictions[self.task.name] = scores
        return predictions


def _parts(name: str, classes: Sequence[str], basic: Basic) -> Tensor:
    """Which basic classes make up each class, (A, classes of the basic task)."""
    task, parts = basic
    if task.kind != "category":
        raise UserError(f"{name}: basic classes are those of a category, but {task.name!r} is of kind {task.kind}")
    for column, values in zip(parts.attributes, parts.values.T, strict=True):
        if column not in task.classes and bool((values > 0).any()):
            raise UserError(
                f"{name}: {column!r} takes part in classes of {parts.source}, but is no class of the task "
                f"{task.name!r} ({', '.join(task.classes)})"
            )
    return parts.aligned(classes, task.classes).values.nan_to_num(0).float()
