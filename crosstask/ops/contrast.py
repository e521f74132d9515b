"""InfoNCE over pairwise distances: every anchor should be nearest to its own positive."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(
    cross: Tensor, group: Tensor, temperature: Tensor | float, own: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """-log [ exp(-D_ii / tau) / sum_k exp(-D_ik / tau) ] for each anchor i, by log-sum-exp.

    The candidates of an anchor are the other set's members of its group (its positive among them) and, with ``own``,
    the other members of its own set.

    Args:
        cross: (R, R) distances of the anchors to the other set; the positive of anchor i is i.
        group: (R,) int64, anchors meet only candidates of their own group.
        temperature: tau, a number or a scalar tensor.
        own: (R, R) distances among the anchors, for negatives from their own set too.

    Returns:
        The losses (R,), and how many candidates each anchor has (R,).
    """
    same = group[:, None] == group
    logits = (-cross / temperature).masked_fill(~same, -torch.inf)
    candidates = same.sum(1)
    everything = logits
    if own is not None:
        others = same & ~torch.eye(len(group), dtype=torch.bool, device=group.device)
        everything = torch.cat([logits, (-own / temperature).masked_fill(~others, -torch.inf)], dim=1)
        candidates = candidates + others.sum(1)
    return everything.logsumexp(1) - logits.diagonal(), candidates
