"""What the training loop costs beside forward, backward and optimiser, whether data keeps up, and start-up time.

python -m benchmarks loop
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.training import fit

STEPS = 60
WARM = 10


def timed(function: Callable, into: list[float]) -> Callable:
    def wrapped(*arguments, **options):
        began = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            into.append(time.perf_counter() - began)

    return wrapped


def held(batches: Iterable) -> Iterator:
    """Eight batches again and again: no process loads meanwhile."""
    return itertools.cycle(list(itertools.islice(batches, 8)))


def overhead(folder: Path, workers: int) -> tuple[float, float, float]:
    """Median seconds of a step, of its forward, backward and optimiser, and of its waiting for data.

    With 0 workers the loop gets batches that are held in memory.
    """
    recipe = Recipe.load("demo", [
        "--training.iterations", str(STEPS), "--training.log_every", "10", "--data.rooms.validation", "0",
        "--data.validation_fraction", "0", "--data.workers", str(workers),
    ])  # fmt: skip
    work: list[float] = []
    optimiser: list[float] = []
    marks: list[float] = []
    forward_backward, build, advance = fit.accumulate_gradients, fit.build_optimiser, fit.TrainingProgress.step
    ahead = fit.ahead

    def timed_optimiser(*arguments):
        made = build(*arguments)
        made.step = timed(made.step, optimiser)
        return made

    def marked(progress: fit.TrainingProgress) -> None:
        marks.append(time.perf_counter())
        advance(progress)

    fit.accumulate_gradients, fit.build_optimiser = timed(forward_backward, work), timed_optimiser
    fit.TrainingProgress.step = marked  # type: ignore[method-assign]
    if not workers:
        fit.ahead = held
    try:
        experiment = Experiment(recipe, folder / "run", quiet=True)
        experiment.fit()
        waits = [
            record["waiting_for_data"] * record["seconds_per_step"]
            for record in experiment.run.records()
            if record["kind"] == "train"
        ]
    finally:
        fit.accumulate_gradients, fit.build_optimiser = forward_backward, build
        fit.TrainingProgress.step, fit.ahead = advance, ahead  # type: ignore[method-assign]
    whole = statistics.median(b - a for a, b in zip(marks[WARM:], marks[WARM + 1 :], strict=False))
    necessary = statistics.median(w + o for w, o in zip(work[WARM:], optimiser[WARM:], strict=True))
    return whole, necessary, statistics.median(waits[1:])


def start_up() -> float:
    """Median seconds of ``crosstask --help``."""
    command = [str(Path(sys.executable).with_name("crosstask")), "--help"]
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    table = Table(title=f"training loop, demo recipe, {torch.get_num_threads()} threads, {STEPS} steps, medians")
    for column in ("what", "batches in memory", "2 workers, same cores", "target"):
        table.add_column(column)
    measured = []
    for workers in (0, 2):
        with tempfile.TemporaryDirectory() as folder:
            measured.append(overhead(Path(folder), workers))
    table.add_row("step", *(f"{1000 * whole:.1f} ms" for whole, _, _ in measured), "")
    table.add_row("forward, backward, optimiser", *(f"{1000 * work:.1f} ms" for _, work, _ in measured), "")
    table.add_row("all else, of a step", *(f"{100 * (1 - work / whole):.1f} %" for whole, work, _ in measured), "< 5 %")
    table.add_row("of it waiting for data", *(f"{1000 * waited:.1f} ms" for _, _, waited in measured), "")
    table.add_row("crosstask --help", f"{start_up():.2f} s", "", "< 0.5 s")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
