"""Random numbers that depend on what they are for and on nothing else: no global state, no order of calls."""

from __future__ import annotations

from hashlib import blake2b

import torch


def hashed(*parts: int | str) -> int:
    """A number in [0, 2^63) that is the same for the same parts, on every machine."""
    text = "\0".join(str(part) for part in parts).encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def generator_of(*parts: int | str) -> torch.Generator:
    """A generator seeded by :func:`hashed`."""
    return torch.Generator().manual_seed(hashed(*parts))
