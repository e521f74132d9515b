"""Images a second that ``crosstask regions`` makes, and where the time goes.

Uses the folder of images given as the first argument, or the NYU-v2 images beside the checkout, or noise.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crosstask.data.decode.files import load_image
from crosstask.engine import Engine
from crosstask.regions import Felzenszwalb, Grid, Job, Provider, Slic, make_regions
from crosstask.regions.stored import Record, decode, encode
from crosstask.writing import write

SIZES = ((192, 256), (288, 384))
COUNT = 60


def sources(size: tuple[int, int], folder: Path, found: list[Path]) -> list[Path]:
    """``COUNT`` JPEG files of one size, from the images found or from noise."""
    height, width = size
    paths = []
    for index in range(COUNT):
        if found:
            image = Image.open(found[index * len(found) // COUNT % len(found)]).convert("RGB")
        else:
            noise = np.random.default_rng(index).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            image = Image.fromarray(noise)
        paths.append(folder / f"{index:04d}.jpg")
        image.resize((width, height), Image.Resampling.BICUBIC).save(paths[-1], quality=92)
    return paths


def stages(provider: Provider, paths: list[Path], out: Path) -> dict[str, float]:
    """CPU milliseconds per image of each step."""
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        start = time.process_time()
        result = function(*arguments)
        spent[name] = spent.get(name, 0.0) + time.process_time() - start
        return result

    provider(load_image(paths[0]))
    for path in paths:
        record = timed("hash", Record.of, provider, path.read_bytes())
        image = timed("decode", load_image, path)
        ids = timed("segment", provider, image)
        content = timed("encode", encode, ids, record)
        timed("write", write, out / (path.name + ".png"), content)
        timed("check", decode, content)
    return {name: 1000 * seconds / len(paths) for name, seconds in spent.items()}


def throughput(provider: Provider, paths: list[Path], out: Path, workers: int) -> tuple[float, float, float]:
    """Images a second made, seconds until the first was there, images a second found finished the second time."""
    jobs = [Job(path.name, path, out / (path.name + ".png")) for path in paths]
    first: list[float] = []
    start = time.perf_counter()
    make_regions(
        jobs, provider, load_image, Engine(workers=workers), progress=lambda state: first or first.append(state.seconds)
    )
    made = time.perf_counter() - start
    start = time.perf_counter()
    make_regions(jobs, provider, load_image, Engine(workers=0))
    return (len(jobs) - 1) / (made - first[0]), first[0], len(jobs) / (time.perf_counter() - start)


def main(folder: str | None = None) -> None:
    """Print one row per provider, size and number of workers."""
    default = Path(__file__).resolve().parents[2] / "shared/data/nyuv2/train/rgb"
    found = sorted(Path(folder or default).glob("*.jpg"))
    print(f"{'provider':14}{'size':>9}{'workers':>9}{'images/s':>10}{'start s':>9}{'kept/s':>8}   CPU ms per image")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            paths = sources(size, Path(scratch), found)
            for provider in (Grid(), Slic(), Felzenszwalb()):
                spent = stages(provider, paths[:20], Path(scratch) / "stages")
                steps = "  ".join(f"{name} {value:.1f}" for name, value in spent.items())
                for workers in (1, 2):
                    out = Path(scratch) / f"{provider.name}{workers}"
                    rate, start, kept = throughput(provider, paths, out, workers)
                    print(
                        f"{provider.name:14}{size[0]:>5}x{size[1]}{workers:>9}{rate:>10.1f}{start:>9.1f}{kept:>8.0f}"
                        f"   {steps if workers == 1 else ''}",
                        flush=True,
                    )


if __name__ == "__main__":
    main(*sys.argv[1:2])
