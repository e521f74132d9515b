"""Images and providers for the tests of the cache; worker processes import them from here."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from crosstask.engine import Engine
from crosstask.regions import Grid, Job, Progress, make_regions


def read_rgb(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def images(folder: Path, count: int) -> list[Job]:
    """``count`` small images below ``folder/in`` and the jobs that put their regions below ``folder/out``."""
    (folder / "in").mkdir()
    jobs = []
    for index in range(count):
        noise = np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        path = folder / "in" / f"{index:03d}.png"
        Image.fromarray(noise).save(path)
        jobs.append(Job(f"row {index}", path, folder / "out" / f"{index:03d}.png"))
    return jobs


@dataclass(frozen=True)
class Slow(Grid):
    """A grid that takes its time."""

    name: ClassVar[str] = "slow"

    def segment(self, image: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return super().segment(image)


@dataclass(frozen=True)
class Dying(Grid):
    """A grid that takes its process down."""

    name: ClassVar[str] = "dying"

    def segment(self, image: np.ndarray) -> np.ndarray:
        os._exit(9)


def main(source: str, target: str, workers: str) -> None:
    """Make the regions of a folder and report every file on stdout."""

    def report(state: Progress) -> None:
        print(state.done, flush=True)

    jobs = [Job(path.name, path, Path(target) / path.name) for path in sorted(Path(source).iterdir())]
    make_regions(jobs, Slow(patch=4), read_rgb, Engine(workers=int(workers)), report)


if __name__ == "__main__":
    main(*sys.argv[1:])
