"""InfoNCE on distances: every anchor should be nearer to its positive than to its negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(positive: Tensor, negative: Tensor, mask: Tensor, temperature: Tensor | float) -> Tensor:
    """-log [ exp(-d+ / tau) / (exp(-d+ / tau) + sum_k exp(-d_k / tau)) ] for each anchor, by log-sum-exp.

    The loss of guessing is ln(1 + number of negatives); without negatives the loss is an exact 0.

    >>> positive, negative = torch.zeros(2), torch.zeros(2, 3)
    >>> info_nce(positive, negative, torch.ones(2, 3, dtype=torch.bool), temperature=0.1)  # ln 4: nothing is told apart
    tensor([1.3863, 1.3863])

    Args:
        positive: (A,) distance of each anchor to its positive.
        negative: (A, N) distances to the others.
        mask: (A, N) bool, which of them are negatives; the rest may hold anything.
        temperature: tau, a number or a scalar tensor.

    Returns:
        (A,).
    """
    distances = torch.cat([positive[:, None], negative.masked_fill(~mask, 0)], dim=1)
    candidates = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)
    logits = (-distances / temperature).masked_fill(~candidates, -torch.inf)
    return logits.logsumexp(1) - logits[:, 0]
