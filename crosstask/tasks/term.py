"""A loss as a sum and a count, so that it can be averaged exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Term(NamedTuple):
    """A loss that has not been averaged yet.

    Averaging per-rank or per-micro-batch means is wrong whenever they hold different numbers of labels; summing the
    totals and dividing by the summed counts is right. The training loop does that division.

    >>> import torch
    >>> few, many = Term(torch.tensor(6.0), torch.tensor(2.0)), Term(torch.tensor(8.0), torch.tensor(8.0))
    >>> Term(few.total + many.total, few.count + many.count).mean()  # the mean of the means would be 2
    tensor(1.4000)
    >>> Term.zero(torch.tensor([1.0])).mean()
    tensor(0.)

    Attributes:
        total: scalar float32 (or float64) tensor with a graph, the summed loss.
        count: scalar tensor without a graph, how much was summed: known pixels, labelled samples, summed weights.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]

    def mean(self) -> Tensor:
        """``total / count``; an exact zero with a graph where nothing was counted."""
        return self.total / self.count.where(self.count > 0, self.count.new_ones(()))

    @classmethod
    def zero(cls, *attached: Tensor) -> Term:
        """An exact 0 that keeps ``attached`` in the graph: their gradient is 0, even where they are not finite."""
        total = _Nothing.apply(*attached)
        return cls(total, total.detach())


class _Nothing(torch.autograd.Function):
    """0 from any tensors; its zero gradients take no memory."""

    @staticmethod
    def forward(ctx, *attached: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.alike = [(each.shape, each.dtype, each.device) for each in attached]
        return torch.zeros((), device=attached[0].device)

    @staticmethod
    def backward(ctx, _: Tensor) -> tuple[Tensor, ...]:  # type: ignore[no-untyped-def]
        return tuple(torch.zeros((), dtype=dtype, device=device).expand(shape) for shape, dtype, device in ctx.alike)
