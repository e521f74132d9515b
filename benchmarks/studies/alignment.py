"""Does `crosstask align` foretell which objective helps? Rank correlation of alignment and gain over comparisons.

    crosstask compare demo --objectives geometry,pairwise,... --labels one --seeds 0,1 --out runs/align_rooms
    python -m benchmarks.studies.alignment runs/align_rooms [FOLDER ...]

In each folder every seed's `supervised` run is aligned with all methods. Gain is the mean over seeds of the paired
difference to `supervised` on the test split, in percent of it, above zero where the method is better. Spearman's
correlation is over methods, for each folder, task and place, and over all of them with ranks taken within each; its p
is the share of 10,000 permutations of the methods (the same for all tasks of a folder) that correlate as highly.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from functools import reduce
from pathlib import Path
from statistics import fmean

from scipy.stats import rankdata

from crosstask.alignment.align import align
from crosstask.alignment.recipes import with_hidden
from crosstask.compare.comparison import compare
from crosstask.compare.grid import Grid
from crosstask.entries import FULL, SUPERVISED
from crosstask.recipe.written import merge
from crosstask.trained import load_run

PERMUTATIONS = 10_000

Cosines = dict[tuple[str, str, str], float]
"""By method, task and place."""


def cosines(grid: Grid, names: set[str], batches: int) -> tuple[Cosines, Cosines]:
    """Mean cosines of the named methods over the seeds of the grid, and what is left of them without the control."""
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    methods = {name: grid.methods[name] for name in sorted(names)}
    for cell in grid.cells:
        if cell.method != SUPERVISED or cell.labels in FULL:
            continue
        trained = load_run(grid.folder(cell), "last")
        own = {name: reduce(merge, each.patches, trained.recipe.sections) for name, each in methods.items()}
        for row in align(trained.network, with_hidden(trained.recipe, own), batches=batches):
            found[row.method, row.task, row.place].append((row.cosine.mean, row.excess.mean))
    means = {key: tuple(map(fmean, zip(*values, strict=True))) for key, values in found.items()}
    return {key: value[0] for key, value in means.items()}, {key: value[1] for key, value in means.items()}


def gains(grid: Grid) -> dict[tuple[str, str], float]:
    """By method and task, what it gains over `supervised`, in percent of it."""
    found = {}
    for score in compare(grid).scores:
        if score.difference and score.primary and score.labels not in FULL and not grid.methods[score.method].single:
            change = score.difference.mean
            found[score.method, score.task] = 100 * score.better * change / abs(score.mean - change)
    return found


def spearman(groups: list[list[tuple[float, float]]]) -> float:
    """The correlation of ranks, taken within each group."""
    left: list[float] = []
    right: list[float] = []
    for group in groups:
        for ranks, values in zip((left, right), zip(*group, strict=True), strict=True):
            own = rankdata(values)
            ranks += (own - own.mean()).tolist()
    size = sum(x * x for x in left) ** 0.5 * sum(y * y for y in right) ** 0.5
    return sum(x * y for x, y in zip(left, right, strict=True)) / size if size else float("nan")


def chance(blocks: list[list[list[tuple[float, float]]]], found: float) -> float:
    """How often methods that are exchanged, alike in all groups of a block, correlate at least as highly."""
    stream, higher = random.Random(0), 0
    for _ in range(PERMUTATIONS):
        groups = []
        for block in blocks:
            order = stream.sample(range(len(block[0])), len(block[0]))
            groups += [[(x, group[other][1]) for (x, _), other in zip(group, order, strict=True)] for group in block]
        higher += spearman(groups) >= found - 1e-12
    return higher / PERMUTATIONS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--batches", type=int, default=16)
    arguments = parser.parse_args()
    blocks: dict[str, list[list[list[tuple[float, float]]]]] = defaultdict(list)
    for folder in arguments.folders:
        grid = Grid.load(folder)
        gained = gains(grid)
        whole, excess = cosines(grid, {method for method, _ in gained}, arguments.batches)
        print(f"\n{folder}, seeds {sorted({cell.seed for cell in grid.cells})}, {arguments.batches} batches")
        tasks = list(dict.fromkeys(task for _, task in gained))
        for place in ("predictions", "weights"):
            for name, kind in (("cosine", whole), ("cosine above its control", excess)):
                block = []
                for task in tasks:
                    methods = [method for method, own in gained if own == task]
                    pairs = [(kind.get((method, task, place), 0.0), gained[method, task]) for method in methods]
                    block.append([(x if x == x else 0.0, y) for x, y in pairs])  # one that teaches a task nothing
                    if name == "cosine":
                        told = ", ".join(f"{m} {x:.3f} {y:+.1f} %" for m, (x, y) in zip(methods, pairs, strict=True))
                        print(f"{place}, {task}: Spearman {spearman([block[-1]]):+.2f} over {len(pairs)} ({told})")
                blocks[f"{name} at the {place}"].append(block)
    print()
    for name, own in blocks.items():
        groups = [group for block in own for group in block]
        found = spearman(groups)
        count = sum(map(len, groups))
        print(f"{name}: Spearman {found:+.2f} over {count} pairs in {len(groups)} groups, p {chance(own, found):.3f}")


if __name__ == "__main__":
    main()
