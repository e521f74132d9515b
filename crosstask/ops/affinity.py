"""Affinities between all positions of a map, and values propagated along them, in bounded memory.

The affinity of N positions is an N x N matrix, A = softmax(Q K^T) over the keys. It is never held as a whole where it
is large: rows are made, used and forgotten in chunks, and made again for the gradient, which stays exact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

Fuse = Callable[[Tensor], Tensor]
"""Rows of several affinities (B, K, R + 2 halo, N) to the same rows of the fused one, (B, R, N)."""

LIMIT = 2**22
"""Entries of affinities that are held at once."""


def first(affinities: Tensor) -> Tensor:
    """The affinity itself where there is only one.

    >>> first(torch.ones(2, 1, 4, 4)).shape
    torch.Size([2, 4, 4])
    """
    return affinities[:, 0]


def propagate(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    fuse: Fuse = first,
    halo: int = 0,
    transposed: bool = False,
    normalise: bool = False,
    limit: int = LIMIT,
) -> Tensor:
    """Values carried along an affinity: A V, or A^T V.

    A is ``fuse`` of the K affinities A_k = softmax over the keys of Q_k K_k^T, without a division by the root of D. The
    memory needed beside inputs and output is a few times ``limit`` numbers, with or without gradient.

    >>> queries, keys = torch.randn(2, 1, 12, 8), torch.randn(2, 1, 12, 8)
    >>> propagate(queries, keys, torch.ones(2, 12, 3)).allclose(torch.ones(2, 12, 3))
    True

    Args:
        queries: (B, K, N, D), the rows of the affinities.
        keys: (B, K, N, D), the columns.
        values: (B, N, C).
        fuse: makes one affinity of the K.
        halo: rows above and below that ``fuse`` needs; those beyond the first and the last are 0.
        transposed: position i receives from all j that attend to it, instead of from those it attends to.
        normalise: what a position receives is divided by the weights it received it with, so that constant values
            stay as they are.
        limit: the most entries of the K affinities of all images that are held at once (at least one row).

    Returns:
        (B, N, C).
    """
    batch, kinds, positions = queries.shape[:3]
    if normalise:
        values = torch.cat([values, torch.ones_like(values[..., :1])], -1)

    def part(start: int, stop: int) -> Tensor:
        above, below = min(start, halo), min(positions - stop, halo)
        attention = queries[:, :, start - above : stop + below] @ keys.mT
        affinities = F.pad(attention.softmax(-1), (0, 0, halo - above, halo - below))
        rows = fuse(affinities)
        return rows.mT @ values[:, start:stop] if transposed else rows @ values

    if torch.compiler.is_exporting() or batch * kinds * positions**2 <= limit:
        received = part(0, positions)
    else:
        size = max(limit // (batch * kinds * positions), 1)
        bounds = [(start, min(start + size, positions)) for start in range(0, positions, size)]
        parts = [_forgotten(part, *each) for each in bounds]
        received = sum(parts[1:], parts[0]) if transposed else torch.cat(parts, 1)
    return received[..., :-1] / received[..., -1:].clamp(min=1e-12) if normalise else received


def _forgotten(function: Callable[[int, int], Tensor], start: int, stop: int) -> Tensor:
    """``function(start, stop)``, computed again for the gradient instead of remembered."""
    if not torch.is_grad_enabled():
        return function(start, stop)
    return checkpoint(function, start, stop, use_reentrant=False, preserve_rng_state=False)
