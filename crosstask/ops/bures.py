"""Factors of covariances and the fidelity tr (S S')^(1/2) of pairs of them, with gradients that stay finite.

For factors S = A A^T, S' = B B^T the fidelity is the nuclear norm of X = A^T B, that is <X, P> with P the polar
factor of X. Since P is the best of all orthogonal matrices, d/dA = B P^T without a derivative of P.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from crosstask.ops.polar import accurate_schedule, polar_factor, schedule


def covariance_factor(covariance: Tensor) -> Tensor:
    """A = V diag(sqrt(eigenvalues)) with A A^T = S; eigenvalues below rounding count as zero, so no ridge is needed.

    The gradient K with respect to S should satisfy 2 K A = G for a gradient G that arrives at A. Where G is inexact no
    symmetric K does; the one nearest in the least-squares sense solves K S + S K = (G A^T + A G^T) / 2, a division in
    the eigenbasis, bounded on the support of S. For the features x behind S it is the projection of their gradient
    G A^-1 x on those that a function of S can have, while the symmetric part of G A^-1 would leak
    1 / sqrt(smallest eigenvalue).

    >>> covariance_factor(torch.diag(torch.tensor([4.0, 9.0]))[None]).abs()
    tensor([[[2., 0.],
             [0., 3.]]])

    Args:
        covariance: (R, C, C), symmetric, positive semi-definite. What is not finite gives NaN.

    Returns:
        (R, C, C); columns by ascending eigenvalue, zero ones first.
    """
    return _Factor.apply(covariance)


ROUNDING = {torch.float32: 2.4e-7, torch.float64: 1e-13}
"""Eigenvalues below this part of the largest are rounding: a smaller bound keeps noise, a larger one drops signal."""


class _Factor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, covariance: Tensor) -> Tensor:
        finite = covariance.isfinite().flatten(1).all(1)
        symmetric = (covariance + covariance.mT).mul_(0.5).masked_fill_(~finite[:, None, None], 0)
        values, vectors = _eigen(symmetric)
        values = values.masked_fill_(values <= ROUNDING[values.dtype] * values[:, -1:], 0)
        values = values.masked_fill_(~finite[:, None], torch.nan)
        ctx.save_for_backward(values, vectors)
        return vectors * values.sqrt()[:, None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            rotated = torch.bmm(vectors.mT, grad) * values.sqrt()[:, None]
            sums = 2 * (values[:, :, None] + values[:, None])
            solution = ((rotated + rotated.mT) / sums).masked_fill_(sums == 0, 0)
            return vectors @ solution @ vectors.mT


def _eigen(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of each matrix, found in float64: in float32 LAPACK's solvers underflow on matrices
    of few or tiny eigenvalues, to NaN or no convergence."""
    values, vectors = symmetric.new_empty(symmetric.shape[:-1]), torch.empty_like(symmetric)
    size = _chunk_size(symmetric)
    for part, value, vector in zip(symmetric.split(size), values.split(size), vectors.split(size), strict=True):
        found = torch.linalg.eigh(part.double())
        value.copy_(found.eigenvalues)
        vector.copy_(found.eigenvectors)
    return values, vectors


class _Chunk(NamedTuple):
    """Pairs handled together: their positions in the list, and how many columns of either side are not zero."""

    pairs: Tensor
    rank_a: int
    rank_b: int


def pair_fidelity(a: Tensor, b: Tensor, first: Tensor, second: Tensor, *, memory: int) -> Tensor:
    """Fidelities of listed pairs.

    >>> a = covariance_factor(torch.diag(torch.tensor([4.0, 9.0]))[None])
    >>> b = covariance_factor(torch.eye(2)[None])
    >>> pair_fidelity(a, b, torch.tensor([0]), torch.tensor([0]), memory=2**20).round(decimals=3)
    tensor([5.])

    Args:
        a, b: (A, C, C) and (B, C, C) factors whose zero columns come first.
        first, second: (N,) int64, which a meets which b.
        memory: bytes of polar factors (float16 for float32 inputs) kept for the backward pass; others are redone.

    Returns:
        (N,) nuclear norms of A_i^T B_j.
    """
    return _PairFidelity.apply(a, b, first, second, memory)


class _PairFidelity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, first: Tensor, second: Tensor, memory: int) -> Tensor:
        size = _norms(a)[first] * _norms(b)[second]
        value = a.new_empty(len(first))
        ctx.chunks, polars = _chunks(a, b, first, second), []
        differentiable = any(ctx.needs_input_grad)
        for chunk in ctx.chunks:
            product = _products(a, b, first, second, chunk) / size[chunk.pairs, None, None]
            polar = polar_factor(product)
            value[chunk.pairs] = torch.linalg.vecdot(product.flatten(1), polar.flatten(1))
            if differentiable and memory > 0:
                polars.append(polar.to(_stored(a)))
                memory -= polars[-1].nbytes
        ctx.save_for_backward(a, b, first, second, size, *polars)
        return value * size

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        a, b, first, second, size, *polars = ctx.saved_tensors
        grad_a, grad_b = (
            torch.zeros_like(x) if need else None for x, need in zip((a, b), ctx.needs_input_grad[:2], strict=True)
        )
        with torch.autocast(grad.device.type, enabled=False):
            for index, chunk in enumerate(ctx.chunks):
                if index < len(polars):
                    polar = polars[index].to(a.dtype)
                else:
                    polar = polar_factor(_products(a, b, first, second, chunk) / size[chunk.pairs, None, None])
                polar = polar * grad[chunk.pairs, None, None]
                i, j = first[chunk.pairs], second[chunk.pairs]
                if grad_a is not None:
                    right = b.index_select(0, j)[..., -chunk.rank_b :]
                    grad_a[..., -chunk.rank_a :].index_add_(0, i, torch.bmm(right, polar.mT))
                if grad_b is not None:
                    left = a.index_select(0, i)[..., -chunk.rank_a :]
                    grad_b[..., -chunk.rank_b :].index_add_(0, j, torch.bmm(left, polar))
        return grad_a, grad_b, None, None, None


def linear_fidelity(a: Tensor, b: Tensor, reference: Tensor) -> Tensor:
    """Fidelities of all pairs by transport through one reference covariance (linearised optimal transport).

    The factors E = A Q, Q = polar(A^T R), of the same covariances are turned towards the reference factor R, and
    <E_i, E_j> is a lower bound of the fidelity of i and j, which is met where both commute with the reference: one
    matrix product for all pairs. The gradient takes the turns Q as constant.

    >>> a = covariance_factor(torch.diag(torch.tensor([4.0, 9.0]))[None])
    >>> linear_fidelity(a, a, torch.eye(2)).round(decimals=3)
    tensor([[13.]])

    Args:
        a, b: (A, C, C) and (B, C, C) factors.
        reference: (C, C) factor.

    Returns:
        (A, B).
    """
    return _LinearFidelity.apply(a, b, reference)


class _LinearFidelity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, reference: Tensor) -> Tensor:
        turn_a = _turns(a, reference)
        turn_b = turn_a if b is a else _turns(b, reference)
        ctx.save_for_backward(a, b, turn_a, turn_b)
        return _turned(a, turn_a).flatten(1) @ _turned(b, turn_b).flatten(1).T

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        a, b, turn_a, turn_b = ctx.saved_tensors
        grad_a = grad_b = None
        with torch.autocast(grad.device.type, enabled=False):
            if ctx.needs_input_grad[0]:
                grad_a = _turned((grad @ _turned(b, turn_b).flatten(1)).view_as(a), turn_a.mT)
            if ctx.needs_input_grad[1]:
                grad_b = _turned((grad.T @ _turned(a, turn_a).flatten(1)).view_as(b), turn_b.mT)
        return grad_a, grad_b, None


def _turns(factor: Tensor, reference: Tensor) -> Tensor:
    """polar(A^T R), (R, C, C); float16 for float32 factors."""
    polynomials = schedule(5e-4, 7) if factor.dtype == torch.float32 else accurate_schedule(factor.dtype)
    turns = torch.empty_like(factor, dtype=_stored(factor))
    size, steps = _norms(factor) * reference.norm().clamp_min(1e-18), _chunk_size(factor)
    for part, scale, out in zip(factor.split(steps), size.split(steps), turns.split(steps), strict=True):
        out.copy_(polar_factor(part.mT @ reference / scale[:, None, None], polynomials))
    return turns


def _turned(factor: Tensor, turns: Tensor) -> Tensor:
    return torch.bmm(factor, turns.to(factor.dtype))


def _stored(factor: Tensor) -> torch.dtype:
    """Polar factors lie in [-1, 1]: half precision costs their gradient 5e-4 at most."""
    return torch.float16 if factor.dtype == torch.float32 else factor.dtype


def _norms(factor: Tensor) -> Tensor:
    """Frobenius norms (R,), kept from zero."""
    return factor.flatten(1).norm(dim=1).clamp_min(1e-18)


def _products(a: Tensor, b: Tensor, first: Tensor, second: Tensor, chunk: _Chunk) -> Tensor:
    """A_i^T B_j without zero columns, (N, rank_a, rank_b)."""
    left = a.index_select(0, first[chunk.pairs])[..., -chunk.rank_a :]
    right = b.index_select(0, second[chunk.pairs])[..., -chunk.rank_b :]
    return torch.bmm(left.mT, right)


def _chunk_size(factor: Tensor) -> int:
    """Matrices per chunk: as many as keep a GPU busy; on a CPU such that the work on a chunk outweighs its overhead
    while its buffers stay small."""
    channels = factor.shape[-1]
    if factor.is_cuda:
        return max(1, 2**24 // channels**2)
    return max(1, min(2**19 // channels**2, 2**24 // channels**3))


def _chunks(a: Tensor, b: Tensor, first: Tensor, second: Tensor) -> list[_Chunk]:
    """Pairs in chunks of similar rank: narrow left sides, then narrow right sides, each by width."""
    if len(first) == 0:
        return []
    rank_a, rank_b = ((x != 0).any(-2).sum(-1).clamp_min_(1)[index] for x, index in ((a, first), (b, second)))
    order = torch.where(rank_a <= rank_b, rank_a, a.shape[-1] + rank_b).argsort(stable=True)
    parts = order.split(_chunk_size(a))
    widths = torch.stack([torch.stack([rank_a[part].max(), rank_b[part].max()]) for part in parts]).tolist()
    return [_Chunk(part, *width) for part, width in zip(parts, widths, strict=True)]
