"""How the classes of one task are related to those of another, counted where samples have labels of both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Estimate(NamedTuple):
    """A number for each class and attribute, (A, C) float64 each.

    Attributes:
        values: the estimate; NaN where the support is too small.
        low: lower end of its confidence interval; NaN without any support.
        high: upper end.
        support: samples of the class for which the attribute is known.
    """

    values: Tensor
    low: Tensor
    high: Tensor
    support: Tensor


class Counts(NamedTuple):
    """Sums over the samples of each class for which an attribute is known, (A, C) float64 each."""

    support: Tensor
    total: Tensor
    squares: Tensor


def count(classes: Tensor, attributes: Tensor, number: int) -> Counts:
    """Sums by class.

    Args:
        classes: (N,) int64 class of each sample, -1 unknown.
        attributes: (N, C), NaN where unknown.
        number: how many classes there are.
    """
    member = (classes[:, None] == torch.arange(number)).double().T
    values = attributes.double().nan_to_num(0)
    return Counts(member @ (~attributes.isnan()).double(), member @ values, member @ values**2)


def shares(
    counts: Counts,
    smoothing: float = 1.0,
    floor: float = 0.0,
    min_support: int = 5,
    level: float = 0.95,
    exclusive: bool = False,
) -> Estimate:
    """R[e, i] = (k + s) / (n + 2 s): of n samples of class e for which attribute i is known it is there in k.

    Intervals are Wilson's score intervals of k / n, which stay in [0, 1] and do not vanish at 0 and n.

    Args:
        counts: of labels 0 and 1.
        smoothing: s, made-up samples with and without each attribute; 1 is Laplace's rule, 0 the plain share.
        floor: estimates below become 0, not related.
        min_support: least n; cells with less are unknown.
        level: level of the intervals.
        exclusive: of the C attributes one is true: the denominator is n + C s, and rows sum to 1 after the floor too.
    """
    support, present, _ = counts
    outcomes = present.shape[1] if exclusive else 2
    values = (present + smoothing) / (support + outcomes * smoothing)
    values = values.where(values >= floor, 0.0)
    if exclusive:
        values = values / values.sum(1, keepdim=True)
    values = values.where(support >= max(min_support, 1), torch.nan)
    z = _quantile(level)
    share = present / support
    centre = (share + z**2 / (2 * support)) / (1 + z**2 / support)
    half = z / (1 + z**2 / support) * (share * (1 - share) / support + z**2 / (4 * support**2)).sqrt()
    return Estimate(values, (centre - half).clamp(min=0), (centre + half).clamp(max=1), support)


def means(counts: Counts, min_support: int = 5, level: float = 0.95) -> Estimate:
    """Mean of each number over the samples of each class, with normal intervals.

    Args:
        counts: of numbers.
        min_support: least number of samples, 2 at least; cells with less are unknown.
        level: level of the intervals.
    """
    support, total, squares = counts
    mean = total / support
    variance = (squares / support - mean**2).clamp(min=0) * support / (support - 1)
    half = _quantile(level) * (variance / support).sqrt()
    values = mean.where(support >= max(min_support, 2), torch.nan)
    return Estimate(values, mean - half, mean + half, support)


def _quantile(level: float) -> float:
    return float(torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)))
