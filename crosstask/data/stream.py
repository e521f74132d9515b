"""The endless stream of training samples, without state: what draw number d is follows from d alone.

Epoch e = d // n of n samples is the permutation drawn for (seed, e); draw d takes its element d % n, and the
augmentation is drawn for (seed, d). Iteration k of batches of B takes the draws kB ... kB + B - 1, so a run that is
resumed at iteration k, or that shares its batches among processes, sees the same samples, augmented alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch

from crosstask.data.seeding import generator_of


@dataclass(frozen=True)
class Stream:
    """Draws from ``samples`` samples.

    Attributes:
        samples: how many samples there are, at least one.
        seed: seed of order and augmentation.
    """

    samples: int
    seed: int

    def index(self, draw: int) -> int:
        """Which sample a draw takes."""
        epoch, place = divmod(draw, self.samples)
        return _permutation(self.samples, self.seed, epoch)[place]

    def generator(self, draw: int) -> torch.Generator:
        """The generator for the augmentation of a draw."""
        return generator_of(self.seed, "augmentation", draw)


@lru_cache(maxsize=4)
def _permutation(samples: int, seed: int, epoch: int) -> list[int]:
    return torch.randperm(samples, generator=generator_of(seed, "epoch", epoch)).tolist()


@dataclass(frozen=True)
class Shares:
    """How the batch of an iteration is shared among ranks and, within a rank, cut into micro-batches.

    Attributes:
        batch: samples per iteration, over all ranks and micro-batches.
        rank: this process.
        ranks: number of processes.
        parts: micro-batches per rank and iteration (gradient accumulation).

    Raises:
        ValueError: the batch cannot be cut into equal parts.
    """

    batch: int
    rank: int = 0
    ranks: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1 or self.batch % (self.ranks * self.parts):
            raise ValueError(
                f"a batch of {self.batch} cannot be cut equally for {self.ranks} processes x {self.parts} "
                f"micro-batches: choose a multiple of {self.ranks * self.parts}"
            )

    def draws(self, start: int, stop: int) -> Iterator[list[int]]:
        """The draws of each micro-batch of this rank, for iterations ``start`` to ``stop`` (not included)."""
        share = self.batch // self.ranks
        size = share // self.parts
        for iteration in range(start, stop):
            first = iteration * self.batch + self.rank * share
            for part in range(self.parts):
                yield list(range(first + part * size, first + (part + 1) * size))


def consecutive(samples: int, batch: int, rank: int = 0, ranks: int = 1) -> list[list[int]]:
    """All samples once: the slice of a rank (slices differ by at most one sample), cut into lists of ``batch``."""
    start, stop = samples * rank // ranks, samples * (rank + 1) // ranks
    return [list(range(first, min(first + batch, stop))) for first in range(start, stop, batch)]
