"""Averages per image, as most published codes take them."""

from __future__ import annotations

import torch
from torch import Tensor

from crosstask.tasks.base import Task
from crosstask.tasks.selection import weights


def per_image(task: Task, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Weights of entries under which a summed loss is the sum over images of each image's mean.

    Args:
        task: whose labels they are; its losses are linear in the weights of entries.
        target: (B, ...).
        weight: weights that the entries have already.

    Returns:
        In the shape of ``task.known(target)``; 0 where unknown.
    """
    known = weights(task.known(target), weight)
    amounts = torch.stack(
        [task.count(target[i : i + 1], None if weight is None else weight[i : i + 1]) for i in range(len(target))]
    )
    amounts = amounts.where(amounts > 0, 1.0)
    return known / amounts.reshape(-1, *[1] * (known.ndim - 1))
