"""Polar factor of a batch of matrices by matrix products alone.

The iteration Y <- Y (a I + b G + c G^2), G = Y^T Y, maps every singular value x of Y to a x + b x^3 + c x^5 and keeps
the singular vectors; one step is three matrix products once the square is completed, c (G + b/2c I)^2 + (a - b^2/4c) I.
Its coefficients are those of Polar Express (Amsel et al. 2025, arXiv 2505.16932): each polynomial is the best
approximation of 1 on the interval that the previous ones have left. Zero singular values stay zero, so matrices of
deficient rank need no special care.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

Polynomial = tuple[float, float, float]

SAFETY = 1.003
"""Rounding pushes singular values above the bound, where the steep first polynomials diverge, even in float32."""

UNDERFLOW = 1e-15
"""The squares in smaller Frobenius norms underflow in float32, so that the norm is no upper bound any more."""


def best_odd_quintic(low: float, high: float) -> tuple[Polynomial, float]:
    """The odd polynomial of degree 5 nearest to 1 on [low, high], and its largest error there (Remez exchange).

    >>> (a, b, c), error = best_odd_quintic(0.5, 1.0)
    >>> abs(a * 0.5 + b * 0.5**3 + c * 0.5**5 - 1) <= error + 1e-9
    True
    """
    if low > 0.999 * high:  # nothing left to equalise: Taylor's polynomial around 1
        middle = 2 / (low + high)
        return (1.875 * middle, -1.25 * middle**3, 0.375 * middle**5), (1 - low * middle) ** 3
    inner = [0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high]
    error = math.inf
    for _ in range(100):
        points = torch.tensor([low, *inner, high], dtype=torch.float64)
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
        system = torch.stack([points, points**3, points**5, signs], dim=1)
        a, b, c, new = torch.linalg.solve(system, torch.ones_like(points)).tolist()
        root = math.sqrt(9 * b * b - 20 * a * c)
        inner = [math.sqrt((-3 * b - root) / (10 * c)), math.sqrt((-3 * b + root) / (10 * c))]
        if abs(new - error) <= 1e-12 * abs(new):
            break
        error = new
    return (a, b, c), new


@cache
def schedule(low: float, steps: int) -> tuple[Polynomial, ...]:
    """Coefficients that take singular values of [low, 1] to 1 in ``steps`` steps, with :data:`SAFETY` built in.

    >>> len(schedule(1e-3, steps=5))
    5
    """
    high, polynomials = 1.0, []
    for step in range(steps):
        (a, b, c), error = best_odd_quintic(low, high)
        slack = SAFETY if step < steps - 1 else 1.0
        polynomials.append((a / slack, b / slack**3, c / slack**5))
        low, high = 1 - error, 1 + error
    return tuple(polynomials)


def accurate_schedule(dtype: torch.dtype) -> tuple[Polynomial, ...]:
    """Float32: a singular value x of [0, 1] adds at most 4e-6 to the error of the nuclear norm; float64: 2e-9.

    >>> len(accurate_schedule(torch.float64)) > len(accurate_schedule(torch.float32))
    True
    """
    return schedule(1e-8, 16) if dtype == torch.float64 else schedule(5e-5, 9)


def polar_factor(matrix: Tensor, polynomials: tuple[Polynomial, ...] | None = None) -> Tensor:
    """U V^T of each matrix U diag(s) V^T, zero on its null space.

    >>> polar_factor(torch.diag(torch.tensor([0.5, -0.2]))[None]).round(decimals=3)
    tensor([[[ 1.,  0.],
             [ 0., -1.]]])

    Args:
        matrix: (N, p, q), float32 or float64, entries of order one at most.
        polynomials: a :func:`schedule`; :func:`accurate_schedule` of the type if not given.

    Returns:
        (N, p, q). Singular values below the schedule's lower end times the largest are not yet at 1.
    """
    if matrix.shape[-1] > matrix.shape[-2]:
        return polar_factor(matrix.mT, polynomials).mT
    factor, product = matrix.contiguous(), torch.empty_like(matrix)
    gram = matrix.new_empty(*matrix.shape[:-2], matrix.shape[-1], matrix.shape[-1])
    square = torch.empty_like(gram)
    diagonal, square_diagonal = (m.diagonal(dim1=-2, dim2=-1) for m in (gram, square))
    tiny = torch.finfo(matrix.dtype).tiny
    for step, (a, b, c) in enumerate(polynomials or accurate_schedule(matrix.dtype)):
        torch.bmm(factor.mT, factor, out=gram)
        if step == 0:  # two upper bounds of the largest singular value, squared
            norm, rows = gram.flatten(1).norm(dim=1), gram.abs().sum(-1).amax(-1)
            bound = torch.where(norm > UNDERFLOW, torch.minimum(norm, rows), rows)
            bound = bound.mul_(SAFETY**2).clamp_min_(tiny)[:, None, None]
            factor = factor / bound.sqrt()
            gram /= bound
        diagonal += b / (2 * c)
        torch.baddbmm(square, gram, gram, beta=0, alpha=c, out=square)
        square_diagonal += a - b * b / (4 * c)
        torch.bmm(factor, square, out=product)
        factor, product = product, factor
    return factor
