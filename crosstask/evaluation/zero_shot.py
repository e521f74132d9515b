"""Classes nobody annotated, scored from predicted attributes and a table of how they are related.

A network that was trained on action units can tell compound expressions apart, given which units go with each.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from crosstask.errors import UserError
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


class ZeroShot(nn.Module):
    """A network with one more category task, predicted from its tags.

    Args:
        network: images (B, 3, H, W) to raw predictions by task.
        attributes: the task of tags.
        relatedness: a row for each class; a column for each tag.
        name: name of the new task.
        rule: see :func:`zero_shot_scores`.

    Raises:
        UserError: the attributes are no tags.
        DataError: a tag has no column.
    """

    relatedness: Tensor

    def __init__(
        self, network: nn.Module, attributes: Task, relatedness: Relatedness, name: str, rule: Rule = "likelihood"
    ) -> None:
        super().__init__()
        if attributes.kind != "tags":
            raise UserError(f"{name}: scored from tags, but {attributes.name!r} is of kind {attributes.kind}")
        table = relatedness.aligned(relatedness.classes, attributes.classes)
        self.network, self.attributes, self.rule = network, attributes, rule
        self.task = Category(name, classes=list(table.classes))
        self.register_buffer("relatedness", table.values.float())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions of all tasks, (B, A) scores of the new one among them."""
        predictions = dict(self.network(images))
        tags = full_precision(predictions[self.attributes.name])
        table = self.relatedness.to(tags.device)
        predictions[self.task.name] = zero_shot_scores(torch.sigmoid(tags), table, self.rule)
        return predictions
