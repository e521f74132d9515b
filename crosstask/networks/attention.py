"""Attention of a map to itself as something to be used twice: for its features, and for predictions made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.ops.affinity import first, propagate


class Affinity(NamedTuple):
    """An affinity A = softmax_rows(Q K^T) by its factors.

    Attributes:
        queries: Q, (B, N, D).
        keys: K, (B, N, D).
    """

    queries: Tensor
    keys: Tensor


class Attention(nn.Module):
    """The affinity of one task and its features refined along it (a non-local block).

    Args:
        width: channels of the features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries, self.keys, self.values, self.out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, maps: Tensor) -> tuple[Tensor, Affinity]:
        """(B, width, h, w) to refined maps of the same shape and the affinity of their h w positions."""
        queries, keys, values = (flat(layer(maps)) for layer in (self.queries, self.keys, self.values))
        received = F.scaled_dot_product_attention(queries[:, None], keys[:, None], values[:, None], scale=1.0)[:, 0]
        return maps + self.out(received.mT.reshape(maps.shape)), Affinity(queries, keys)


class Constraint(nn.Module):
    """Predictions refined along one affinity, fused of those of several tasks.

    Args:
        sources: the tasks whose affinities are fused.
        kernel: side of the convolution that weighs the affinities.
        normalise: see :func:`~crosstask.ops.affinity.propagate`.
        transposed: see there.
    """

    def __init__(self, sources: list[str], kernel: int, normalise: bool, transposed: bool) -> None:
        super().__init__()
        self.sources = sources
        self.normalise, self.transposed = normalise, transposed
        several = len(sources) > 1
        self.fuse: Callable[[Tensor], Tensor] = Fusion(len(sources), kernel) if several else first
        self.halo = kernel // 2 if several else 0

    def forward(self, affinities: Mapping[str, Affinity], maps: list[Tensor]) -> list[Tensor]:
        """Maps (B, C_i, h, w), refined together along the affinity fused of those of the ``sources``."""
        received = propagate(
            torch.stack([affinities[name].queries for name in self.sources], 1),
            torch.stack([affinities[name].keys for name in self.sources], 1),
            torch.cat([flat(each) for each in maps], -1),
            fuse=self.fuse,
            halo=self.halo,
            transposed=self.transposed,
            normalise=self.normalise,
        )
        parts = received.split([each.shape[1] for each in maps], -1)
        return [part.mT.reshape(each.shape) for part, each in zip(parts, maps, strict=True)]


class Fusion(nn.Module):
    """One affinity of several: their sum, weighted entry by entry with learned weights that sum to 1.

    Args:
        count: how many affinities.
        kernel: side of the first convolution.
    """

    def __init__(self, count: int, kernel: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Conv2d(count, count, kernel, padding=(0, kernel // 2), bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(count, count, 1),
        )
        self.halo = kernel // 2

    def forward(self, affinities: Tensor) -> Tensor:
        """Rows (B, K, R + 2 halo, N) to (B, R, N)."""
        weights = self.weigh(affinities).softmax(1)
        rows = affinities.narrow(2, self.halo, affinities.shape[2] - 2 * self.halo)
        return (weights * rows).sum(1)


def flat(maps: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h w, C), positions row by row."""
    return maps.flatten(2).mT
