"""A task's loss over the samples of all processes, where it compares samples with each other."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from crosstask.ranks import everywhere, processes
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


def whole_loss(
    task: Task,
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    loss: Callable[[Tensor, Tensor, Tensor | None], Term] | None = None,
) -> Term:
    """``loss``, by default ``task.loss``, of this process's samples; where the task's is not additive, this process's
    part of that of the samples of all processes (which then all call this, with as many samples)."""
    loss = loss or task.loss
    if task.additive or processes() == 1:
        return loss(prediction, target, weight)
    weight = target.new_ones(len(target)) if weight is None else weight
    whole = loss(everywhere(prediction), everywhere(target), everywhere(weight))
    return Term(whole.total / processes(), task.count(target, weight))
