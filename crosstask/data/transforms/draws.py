"""Single random numbers from a generator."""

from __future__ import annotations

import torch


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """A number in [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def integer(generator: torch.Generator, low: int, high: int) -> int:
    """An integer from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator).item())


def chance(generator: torch.Generator, p: float) -> bool:
    """True with probability ``p``."""
    return uniform(generator, 0, 1) < p
