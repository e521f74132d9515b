"""One process against several, for every objective and kind of task."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.training.ranks import additive, differences

LIMIT = 1e-6


def run(worlds: list[int]) -> int:
    """Print the largest difference of a weight after three steps; returns how many that claim to be equal are not."""
    with tempfile.TemporaryDirectory() as folder:
        claims, found = additive(Path(folder)), differences(worlds, Path(folder))
    broken = 0
    for name, by_world in found.items():
        worst = max(by_world.values())
        broken += claims[name] and worst >= LIMIT
        word = "equal" if claims[name] else "excepted"
        print(f"ranks  {name:32} {word:9}", *(f"{world}: {value:.1e}" for world, value in by_world.items()))
    print(f"ranks: {sum(claims.values())} claim to be equal on {worlds} processes, {broken} are not", flush=True)
    return broken
