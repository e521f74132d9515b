"""What several annotators say of many items, weighed by who confuses what with what.

A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied
Statistics 28(1), 1979.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class DawidSkene(NamedTuple):
    """What was found.

    Attributes:
        posterior: float64 (N, C), the probability of each class of each item; the prior where nobody says anything.
        confusion: float64 (V, C, C), the probability that an annotator says the second class of an item of the first.
        prior: float64 (C,), how frequent each class is.
    """

    posterior: Tensor
    confusion: Tensor
    prior: Tensor


def dawid_skene(votes: Tensor, classes: int, iterations: int = 100, smoothing: float = 1.0) -> DawidSkene:
    """Expectation maximisation (their eqs. 2.3 to 2.5), begun with the majority.

    Args:
        votes: int (N, V), the class that each annotator says each item has, -1 for none.
        classes: how many there are.
        iterations: at most; it ends when no probability changes by more than 1e-6.
        smoothing: pseudo-counts shared by the classes an annotator may say, three quarters of them for the right one,
            so that an annotator with few items is taken neither for perfect nor for useless. 0 is the paper's.

    Raises:
        ValueError: a vote is no class.

    >>> votes = torch.tensor([[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, -1, 0]])  # the third says the opposite
    >>> dawid_skene(votes, 2).posterior.argmax(1).tolist()
    [0, 1, 0, 1]
    """
    if votes.ndim != 2 or (len(votes) and not -1 <= int(votes.min()) <= int(votes.max()) < classes):
        raise ValueError(f"votes are (N, V) with classes 0 to {classes - 1}, or -1: found {tuple(votes.shape)}")
    said = torch.zeros(*votes.shape, classes, dtype=torch.float64)
    said.scatter_(2, votes.clamp(min=0)[..., None], (votes >= 0)[..., None].double())
    usual = smoothing * (torch.eye(classes).double() * 0.75 + 0.25 / classes)
    count = said.sum((1, 2))
    posterior = (said.sum(1) / count.clamp(min=1)[:, None]).where(count[:, None] > 0, 1 / classes)
    while True:
        prior = posterior[count > 0].sum(0) + smoothing / classes
        prior = prior / prior.sum().clamp(min=1e-12)
        confusion = torch.einsum("nc,nvd->vcd", posterior * (count > 0)[:, None], said) + usual
        confusion = confusion / confusion.sum(2, keepdim=True).clamp(min=1e-12)
        logarithm = torch.einsum("nvd,vcd->nc", said, confusion.clamp(min=1e-12).log()) + prior.clamp(min=1e-12).log()
        before, posterior = posterior, logarithm.softmax(1)
        iterations -= 1
        if iterations <= 0 or not len(votes) or float((posterior - before).abs().max()) < 1e-6:
            return DawidSkene(posterior, confusion, prior)
