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


def seed_device(device: torch.device, seed: int) -> None:
    """Seed the global generators of the CPU and of ``device`` (dropout draws from them).

    ``torch.manual_seed`` does this for every backend there is, at the cost of a formatted stack trace each time.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
