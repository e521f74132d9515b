"""A long training: memory, open files and threads stay what they are."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path

from crosstask.experiment import Experiment
from crosstask.objectives import OBJECTIVES
from crosstask.objectives.supervised import Supervised
from crosstask.recipe import Recipe
from tests.tiny import write_recipe, write_tiny

WARM = 0.25
"""Part of the time after which nothing may grow any more."""
GROWTH = 1.05


def _measured() -> tuple[int, int, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), threading.active_count()


def run(minutes: float) -> int:
    """Train with evaluations and checkpoints for this long; returns how many of the three grew."""
    samples: list[tuple[float, int, int, int]] = []
    ends = time.monotonic() + 60 * minutes

    class Watched(Supervised):
        def forward(self, step):
            if step.iteration % 20 == 0:
                samples.append((time.monotonic(), *_measured()))
                if time.monotonic() > ends:
                    raise KeyboardInterrupt
            return super().forward(step)

    OBJECTIVES["watched"] = Watched
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        recipe = write_recipe(path, write_tiny(path), "ema: 0.9, evaluate_every: 20")
        flags = ["--objectives", "watched,mean_teacher", "--training.iterations", "100000000", "--data.workers", "1",
                 "--training.log_every", "20", "--training.checkpoint_every", "50"]  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):
            Experiment(Recipe.load(recipe, flags), path / "run", quiet=True).fit()
    del OBJECTIVES["watched"]
    warm = [each for each in samples if each[0] >= samples[0][0] + WARM * (samples[-1][0] - samples[0][0])]
    grew = 0
    for index, name in enumerate(("resident bytes", "open files", "threads"), start=1):
        values = [each[index] for each in warm]
        third = max(len(values) // 3, 1)
        first, last = max(values[:third]), max(values[-third:])
        grew += last > first * GROWTH
        print(f"soak   {name:16} {first:>14,} in the first third after warming up, {last:>14,} in the last")
    print(f"soak: {20 * (len(samples) - 1)} steps in {minutes:g} minutes, {grew} of 3 grew", flush=True)
    return grew
