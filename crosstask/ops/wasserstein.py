"""Squared 2-Wasserstein distance between Gaussians, differentiable: all pairs of two sets, or one to one."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from crosstask.ops.bures import covariance_factor, linear_fidelity, pair_fidelity

Mode = Literal["auto", "exact", "fast"]

MEMORY = 128 * 2**20
"""Bytes kept for the backward pass; what does not fit is computed twice."""


@torch.compiler.disable  # products into buffers that are used again: the compiler fails on them
def wasserstein2(
    mean_a: Tensor,
    covariance_a: Tensor,
    mean_b: Tensor,
    covariance_b: Tensor,
    *,
    mode: Mode = "auto",
    mask: Tensor | None = None,
    positives: Tensor | None = None,
    nearest: int = 4,
    ridge: float = 0.0,
    memory: int = MEMORY,
) -> Tensor:
    """W = ||mu - mu'||^2 + tr S + tr S' - 2 tr (S S')^(1/2) of every Gaussian of one set and every one of another.

    Singular covariances (fewer pixels than channels, constant regions, single pixels) need no ridge, and the gradient
    that reaches the features behind them is finite.

    The fast mode measures exactly the positives and, seen from each side, the nearest few. For the rest it replaces the
    transport between S and S' by the one through the pooled covariance (linearised optimal transport: an upper bound,
    one matrix product for all pairs), scaled so as to agree with the exact ones on average.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> wasserstein2(mean, covariance, mean, 4 * covariance, mode="exact").round(decimals=2)  # 4 of means, 2 of spreads
    tensor([[2., 6.],
            [6., 2.]])

    Args:
        mean_a, covariance_a: (A, C) and (A, C, C), symmetric, positive semi-definite.
        mean_b, covariance_b: (B, C) and (B, C, C); passing the very tensors of the other side halves the work.
        mode: ``auto`` is ``exact`` where C <= 32 or there are at most 20 candidates each, else ``fast``.
        mask: (A, B) bool, the pairs wanted. The others are +inf and cost next to nothing.
        positives: (A,) int64, the b that each a is measured against exactly, -1 for none; the diagonal by default where
            A == B. Fast mode only.
        nearest: how many of each row and of each column are exact. Fast mode only.
        ridge: fraction of its mean variance added to each covariance. Biases the distance, damps the gradient in
            directions of little variance.
        memory: bytes that may be kept for the backward pass.

    Returns:
        (A, B), at least 0; float64 for float64 inputs, else float32, under autocast too.

    Raises:
        ValueError: shapes do not fit, or an unknown mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"unknown mode {mode!r}: choose one of {', '.join(get_args(Mode))}")
    mean_a, covariance_a, mean_b, covariance_b = checked(mean_a, covariance_a, mean_b, covariance_b)
    rows, columns, channels = len(mean_a), len(mean_b), mean_a.shape[1]
    wanted = mean_a.new_ones(rows, columns, dtype=torch.bool) if mask is None else mask
    if wanted.shape != (rows, columns):
        raise ValueError(f"mask is {tuple(wanted.shape)}: it needs one entry per pair, {(rows, columns)}")
    if mode == "auto":
        small = channels <= 32 or wanted.sum() <= 20 * max(rows, columns)
        mode = "exact" if small else "fast"
    with torch.autocast(mean_a.device.type, enabled=False):
        squared = squared_distances(mean_a, mean_b)
        variances = (traces(covariance_a)[:, None] + traces(covariance_b)) * (1 + ridge)
        same = covariance_b is covariance_a
        covariance_a, covariance_b = _ridged(covariance_a, ridge), _ridged(covariance_b, ridge)
        factor_a = covariance_factor(covariance_a)
        factor_b = factor_a if same else covariance_factor(covariance_b)
        if mode == "exact":
            fidelity = _exact(factor_a, factor_b, wanted, squared.new_zeros(rows, columns), memory)
            bures = variances - 2 * fidelity
        else:
            pooled = covariance_a.detach().sum(0, keepdim=True) + covariance_b.detach().sum(0)
            linear = linear_fidelity(factor_a, factor_b, covariance_factor(pooled)[0])
            with torch.no_grad():
                near = _nearest(squared + variances - 2 * linear, wanted, nearest)
                near |= _positives(wanted, positives)
                chosen = (near | near.T if same else near) & wanted
            fidelity = _exact(factor_a, factor_b, chosen, linear, memory)
            bures = variances - 2 * fidelity
            scale = _calibration(bures.detach()[chosen], (variances - 2 * linear).detach()[chosen])
            bures = bures * torch.where(chosen, 1.0, scale)
        return (squared + bures.clamp_min(0)).masked_fill(~wanted, torch.inf)


@torch.compiler.disable  # products into buffers that are used again: the compiler fails on them
def paired_wasserstein2(
    mean_a: Tensor,
    covariance_a: Tensor,
    mean_b: Tensor,
    covariance_b: Tensor,
    *,
    ridge: float = 0.0,
    memory: int = MEMORY,
) -> Tensor:
    """Squared 2-Wasserstein distance of the i-th Gaussian of one set from the i-th of another, exact.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> paired_wasserstein2(mean, covariance, mean.flip(0), covariance).round(decimals=2)
    tensor([4., 4.])

    Args:
        mean_a, covariance_a, mean_b, covariance_b: (R, C) and (R, C, C).
        ridge, memory: as for :func:`wasserstein2`.

    Returns:
        (R,), at least 0.

    Raises:
        ValueError: shapes do not fit.
    """
    mean_a, covariance_a, mean_b, covariance_b = checked(mean_a, covariance_a, mean_b, covariance_b)
    if len(mean_a) != len(mean_b):
        raise ValueError(f"found {len(mean_a)} and {len(mean_b)} Gaussians: pairs need as many on both sides")
    with torch.autocast(mean_a.device.type, enabled=False):
        factor_a, factor_b = (covariance_factor(_ridged(c, ridge)) for c in (covariance_a, covariance_b))
        each = torch.arange(len(mean_a), device=mean_a.device)
        fidelity = pair_fidelity(factor_a, factor_b, each, each, memory=memory)
        variances = (traces(covariance_a) + traces(covariance_b)) * (1 + ridge)
        return (mean_a - mean_b).square().sum(-1) + (variances - 2 * fidelity).clamp_min(0)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """||a_i - b_j||^2 of all rows, (A, B), from differences: no digits are lost to large means.

    >>> squared_distances(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def checked(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> tuple[Tensor, ...]:
    """The four tensors, half precision as float32.

    >>> mean, covariance = torch.zeros(3, 2), torch.eye(2).half().expand(3, 2, 2)
    >>> checked(mean, covariance, mean, covariance)[1].dtype
    torch.float32

    Raises:
        ValueError: they are not (A, C), (A, C, C), (B, C), (B, C, C).
    """
    for mean, covariance in ((mean_a, covariance_a), (mean_b, covariance_b)):
        if mean.dim() != 2 or covariance.shape != (*mean.shape, mean.shape[-1]) or mean.shape[1] != mean_a.shape[1]:
            raise ValueError(
                f"means {tuple(mean.shape)} and covariances {tuple(covariance.shape)} do not fit each other "
                f"or the first means {tuple(mean_a.shape)}: pass (A, C), (A, C, C), (B, C), (B, C, C)"
            )
    tensors = (mean_a, covariance_a, mean_b, covariance_b)
    if torch.float64 in {tensor.dtype for tensor in tensors}:
        return tuple(tensor.double() for tensor in tensors)
    return tuple(tensor.float() for tensor in tensors)


def traces(covariance: Tensor) -> Tensor:
    """(R,)

    >>> traces(torch.eye(3)[None])
    tensor([3.])
    """
    return covariance.diagonal(dim1=-2, dim2=-1).sum(-1)


def _ridged(covariance: Tensor, ridge: float) -> Tensor:
    """Each covariance plus a fraction of its mean variance on the diagonal."""
    if ridge == 0:
        return covariance
    channels = covariance.shape[-1]
    eye = torch.eye(channels, dtype=covariance.dtype, device=covariance.device)
    return covariance + eye * (ridge / channels * traces(covariance))[:, None, None]


def _exact(a: Tensor, b: Tensor, chosen: Tensor, base: Tensor, memory: int) -> Tensor:
    """``base`` (A, B) with the fidelities of the chosen pairs put in; within one set each is computed once."""
    if a is b:
        first, second = (chosen | chosen.T).triu().nonzero(as_tuple=True)
        value = pair_fidelity(a, b, first, second, memory=memory)
        base = base.index_put((second, first), value)
    else:
        first, second = chosen.nonzero(as_tuple=True)
        value = pair_fidelity(a, b, first, second, memory=memory)
    return base.index_put((first, second), value)


def _nearest(distance: Tensor, wanted: Tensor, nearest: int) -> Tensor:
    """The ``nearest`` wanted pairs of each row and of each column, (A, B) bool."""
    distance = distance.masked_fill(~wanted, torch.inf)
    chosen = torch.zeros_like(wanted)
    for dim in (0, 1):
        closest = distance.topk(min(nearest, distance.shape[dim]), dim=dim, largest=False).indices
        chosen.scatter_(dim, closest, True)
    return chosen


def _positives(wanted: Tensor, positives: Tensor | None) -> Tensor:
    """Where the positives are, (A, B) bool: those given, else the diagonal of a square."""
    rows, columns = wanted.shape
    if positives is None:
        return torch.eye(rows, dtype=torch.bool, device=wanted.device) if rows == columns else torch.zeros_like(wanted)
    return positives[:, None] == torch.arange(columns, device=wanted.device)


def _calibration(exact: Tensor, linear: Tensor) -> Tensor:
    """How much the linearised covariance terms are too large on average, between 1/2 and 1."""
    total = linear.sum()
    return torch.where(total > 0, exact.sum() / total, total.new_ones(())).clamp(0.5, 1)
