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
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from lightning_fabric import Fabric
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


@dataclass
class Step:
    """Median seconds of a training step and of its parts."""

    whole: float
    necessary: float
    """Forward, backward and optimiser."""
    rest: float
    """All else."""
    clipping: float
    average: float
    """The moving average of the weights."""
    waiting: float


def measured_step(folder: Path, workers: int) -> Step:
    """A step of the demo. With 0 workers the loop gets batches that are held in memory."""
    recipe = Recipe.load("demo", [
        "--training.iterations", str(STEPS), "--training.log_every", "10", "--data.rooms.validation", "0",
        "--data.validation_fraction", "0", "--data.workers", str(workers),
    ])  # fmt: skip
    work: list[float] = []
    optimiser: list[float] = []
    clipping: list[float] = []
    average: list[float] = []
    marks: list[float] = []
    build, advance = fit.build_optimiser, fit.TrainingProgress.step

    def timed_optimiser(*arguments):
        made = build(*arguments)
        made.step = timed(made.step, optimiser)  # type: ignore[method-assign]
        return made

    def marked(progress: fit.TrainingProgress) -> None:
        marks.append(time.perf_counter())
        advance(progress)

    with (
        patch.object(fit, "accumulate_gradients", timed(fit.accumulate_gradients, work)),
        patch.object(fit, "build_optimiser", timed_optimiser),
        patch.object(fit.TrainingProgress, "step", marked),
        patch.object(Fabric, "clip_gradients", timed(Fabric.clip_gradients, clipping)),
        patch.object(fit.EMA, "update", timed(fit.EMA.update, average)),
        patch.object(fit, "ahead", fit.ahead if workers else held),
    ):
        experiment = Experiment(recipe, folder / "run", quiet=True)
        experiment.fit()
    waits = [
        record["waiting_for_data"] * record["seconds_per_step"]
        for record in experiment.run.records()
        if record["kind"] == "train"
    ]
    steps = [end - begin for begin, end in itertools.pairwise(marks)][WARM:]
    necessary = [w + o for w, o in zip(work[1:], optimiser[1:], strict=True)][WARM:]
    return Step(
        whole=statistics.median(steps),
        necessary=statistics.median(necessary),
        rest=statistics.median(step - n for step, n in zip(steps, necessary, strict=True)),
        clipping=statistics.median(clipping[WARM:]),
        average=statistics.median(average[WARM:]),
        waiting=statistics.median(waits[1:]),
    )


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
    steps = []
    for workers in (0, 2):
        with tempfile.TemporaryDirectory() as folder:
            steps.append(measured_step(Path(folder), workers))

    def row(what: str, cell: Callable[[Step], str], target: str = "") -> None:
        table.add_row(what, *map(cell, steps), target)

    def part(seconds: float, step: Step) -> str:
        return f"{1000 * seconds:.1f} ms, {100 * seconds / step.whole:.1f} %"

    row("step", lambda step: f"{1000 * step.whole:.1f} ms")
    row("forward, backward, optimiser", lambda step: f"{1000 * step.necessary:.1f} ms")
    row("all else", lambda step: part(step.rest, step), "< 5 %")
    row("  of it clipping the gradient", lambda step: part(step.clipping, step))
    row("  of it the moving average", lambda step: part(step.average, step))
    row("  of it waiting for data", lambda step: part(step.waiting, step))
    table.add_row("crosstask --help", f"{start_up():.2f} s", "", "< 0.5 s")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
