"""What docs/reliability.md promises, measured: random kills, ranks, a soak.

python -m benchmarks.campaign                      a short round of each
python -m benchmarks.campaign kills --trials 200 --seed 1
python -m benchmarks.campaign ranks --worlds 2,3,4
python -m benchmarks.campaign soak --minutes 30
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(typed: Sequence[str] = ()) -> int:
    """Run the parts that are asked for; 1 where a promise was broken."""
    from benchmarks.campaign import kills, soak, world

    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaign")
    parser.add_argument("parts", nargs="*", help="kills, ranks, soak (default: all)")
    parser.add_argument("--trials", type=int, default=60, help="commands that are killed")
    parser.add_argument("--seed", type=int, default=0, help="seed of their moments")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--log", type=Path, help="write kills here, and leave out those that are there")
    parser.add_argument("--worlds", default="2", help="numbers of processes, joined by commas")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the soak")
    options = parser.parse_args(list(typed))
    wanted = options.parts or ["kills", "ranks", "soak"]
    broken = 0
    if "kills" in wanted:
        broken += kills.run(options.trials, options.seed, options.only, options.log)
    if "ranks" in wanted:
        broken += world.run([int(each) for each in options.worlds.split(",")])
    if "soak" in wanted:
        broken += soak.run(options.minutes)
    return int(broken > 0)
