"""One seed per source of randomness, all derived from the run's seed.

Because every draw is a function of (seed, purpose, position), nothing about random number generators needs to be saved:
a resumed run derives the same numbers, and two variants of a run that differ in one objective share all other draws.
"""

from __future__ import annotations

import hashlib

import torch


def derive(*parts: int | str) -> int:
    """A 63-bit seed that depends on all ``parts``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """A CPU generator seeded with :func:`derive`."""
    return torch.Generator().manual_seed(derive(*parts))
