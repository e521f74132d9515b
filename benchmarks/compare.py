"""What the harness of a comparison adds to the time of its runs, and how long the page of 50 runs takes.

Every run is done twice in turn, as a job of a comparison and in this process. Wall time: let nothing else be at work.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import mean, stdev

import torch

from crosstask.compare.cell import run_cell
from crosstask.compare.grid import Grid
from crosstask.compare.plan import Recipes, plan
from crosstask.compare.pool import Job, do
from crosstask.entries import parse_methods
from crosstask.recipe.written import read_recipe
from crosstask.report.page import write_report

SMALL = ["--data.rooms.test", "16", "--data.size", "[48, 64]", "--data.workers", "0", "--training.warmup", "0"]


def jobs_of(path: Path, iterations: int, labels: list[str], seeds: list[int]) -> list[Job]:
    """The runs of supervised learning and mean teacher with every label setting and seed, in the folder ``path``."""
    base = read_recipe("demo", [*SMALL, "--training.iterations", str(iterations)])
    grid = Grid.product(path, parse_methods("mean_teacher", base), labels, seeds)
    recipes = Recipes(base, grid)
    jobs = plan(recipes, grid.cells)
    recipes.record()
    grid.save()
    return jobs


def added(folder: Path) -> None:
    """Print what a comparison adds to runs of 150 steps."""
    list(do(jobs_of(folder / "first", 1, ["one"], [0]), 1))  # starts the server that children are forked from
    shares = []
    for job in jobs_of(folder / "jobs", 150, ["one"], [0, 1, 2]):
        began = time.perf_counter()
        list(do([job], 1))
        between = time.perf_counter()
        run_cell(job.recipe, folder / "alone" / job.path.name / job.path.parts[-3])
        shares.append(100 * ((between - began) / (time.perf_counter() - between) - 1))
    print(f"a run of 150 steps: {mean(shares):+.1f} % in a comparison, sd {stdev(shares):.1f} over {len(shares)} runs")


def page(folder: Path) -> None:
    """Print how long the page of 50 finished runs takes."""
    labels = ["one", "random", "full", "fraction:0.1", "fraction:0.5"]
    jobs = jobs_of(folder / "fifty", 1, labels, list(range(5)))
    list(do(jobs, 1))
    began = time.perf_counter()
    written = write_report(folder / "fifty")
    seconds, size = time.perf_counter() - began, written.stat().st_size / 2**20
    print(f"the page of {len(jobs)} runs: {seconds:.1f} s, {size:.1f} MB")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        added(Path(folder))
        page(Path(folder))


if __name__ == "__main__":
    main()
