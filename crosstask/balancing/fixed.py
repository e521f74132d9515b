"""Constant weights."""

from __future__ import annotations

from torch import Tensor, nn


class Fixed(nn.Module):
    """The weighted sum of the terms; a weight that is not given is 1.

    Args:
        weights: weight per task or term, by the term's full name (``supervised/depth``) or its last part (``depth``).
    """

    def __init__(self, weights: dict[str, float] | None = None) -> None:
        super().__init__()
        self.weights = weights or {}

    def forward(self, shares: dict[str, Tensor], present: dict[str, bool], fraction: float) -> Tensor:
        """The loss to differentiate.

        Args:
            shares: per term, this micro-batch's share of the step's mean loss (shares add up to it over micro-batches
                and ranks).
            present: per term, whether anything in the whole step was counted. An absent term must not move a weight.
            fraction: this micro-batch's part of the step, for anything that should be added once per step.
        """
        weighted = [share * self.weight(name) for name, share in shares.items()]
        return sum(weighted[1:], weighted[0])

    def weight(self, name: str) -> float:
        """The weight of one term."""
        return self.weights.get(name, self.weights.get(name.rsplit("/", 1)[-1], 1.0))
