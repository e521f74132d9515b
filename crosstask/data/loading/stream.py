"""The endless stream of training samples, without state: what draw number d is follows from d alone.

Epoch e = d // n of n samples is the permutation drawn for (seed, e); draw d takes its element d % n, and the
augmentation is drawn for (seed, d). Batch k of B samples takes the draws kB ... kB + B - 1, so a run that is resumed at
batch k, or that shares its batches among processes, sees the same samples, augmented alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count

import torch

from crosstask.seeding import generator


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
        return generator(self.seed, "augmentation", draw)


@dataclass(frozen=True)
class SharedStream:
    """A stream of which a fixed share of draws takes samples with labels, for data where they are few.

    Draw d is the k-th with a label, k = floor(d share), where floor((d + 1) share) > k: every batch of B holds B share
    of them, rounded down or up. Each part has its own permutations.

    Attributes:
        labelled: the samples with labels, at least one.
        unlabelled: the others, at least one.
        share: in (0, 1).
        seed: seed of order and augmentation.
    """

    labelled: Sequence[int]
    unlabelled: Sequence[int]
    share: float
    seed: int

    def index(self, draw: int) -> int:
        """Which sample a draw takes."""
        before = math.floor(draw * self.share)
        with_label = math.floor((draw + 1) * self.share) > before
        part, place = (self.labelled, before) if with_label else (self.unlabelled, draw - before)
        return part[Stream(len(part), self.seed).index(place)]

    def generator(self, draw: int) -> torch.Generator:
        """The generator for the augmentation of a draw."""
        return generator(self.seed, "augmentation", draw)


@dataclass(frozen=True)
class MixedStream:
    """A stream of which every batch (of all processes) takes fixed numbers of samples from several parts, and cycles
    over each; the parts take turns within the batch, so that slices of it hold much the same.

    Attributes:
        parts: the samples of each part, at least one.
        counts: how many of each part there are in a batch, by :func:`apportion`.
        seed: seed of order and augmentation.
    """

    parts: Sequence[Sequence[int]]
    counts: Sequence[int]
    seed: int

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """For each place in a batch its part, and how many of this part come before it."""
        taken = [(part, nth) for part, count in enumerate(self.counts) for nth in range(count)]
        return sorted(taken, key=lambda place: (place[1] + 0.5) / self.counts[place[0]])

    def index(self, draw: int) -> int:
        """Which sample a draw takes."""
        batch, place = divmod(draw, len(self.places))
        number, nth = self.places[place]
        part = self.parts[number]
        return part[Stream(len(part), self.seed).index(batch * self.counts[number] + nth)]

    def generator(self, draw: int) -> torch.Generator:
        """The generator for the augmentation of a draw."""
        return generator(self.seed, "augmentation", draw)


def apportion(sizes: Sequence[int], batch_size: int) -> list[int]:
    """How many samples of each part a batch holds: at least one of each, the rest in proportion to their sizes
    (d'Hondt's rule).

    >>> apportion([600, 290, 5], 8)
    [5, 2, 1]

    Raises:
        ValueError: there are more parts than samples in a batch.
    """
    if len(sizes) > batch_size:
        raise ValueError(f"a batch of {batch_size} samples cannot hold one of each of {len(sizes)} parts")
    counts = [1] * len(sizes)
    for _ in range(batch_size - len(sizes)):
        counts[max(range(len(sizes)), key=lambda part: sizes[part] / (counts[part] + 1))] += 1
    return counts


@lru_cache(maxsize=64)
def _permutation(samples: int, seed: int, epoch: int) -> list[int]:
    return torch.randperm(samples, generator=generator(seed, "epoch", epoch)).tolist()


@dataclass(frozen=True)
class Draws:
    """The draws of each batch of one process, without end.

    Attributes:
        batch_size: samples per batch and process.
        start: the first batch.
        rank: this process; it takes its slice of the ``batch_size * world`` draws of a batch of all processes.
        world: number of processes.
    """

    batch_size: int
    start: int = 0
    rank: int = 0
    world: int = 1

    def __iter__(self) -> Iterator[list[int]]:
        for batch in count(self.start):
            first = (batch * self.world + self.rank) * self.batch_size
            yield list(range(first, first + self.batch_size))


def consecutive(samples: int, batch_size: int, rank: int = 0, world: int = 1) -> list[list[int]]:
    """All samples once: the slice of a process (differing by at most one), cut into lists of ``batch_size``."""
    start, stop = samples * rank // world, samples * (rank + 1) // world
    return [list(range(first, min(first + batch_size, stop))) for first in range(start, stop, batch_size)]
