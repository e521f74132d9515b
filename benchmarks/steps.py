"""What a whole training step costs with each objective, relative to supervised learning alone, on the CPU.

HRNet-W18 with multi-scale heads, three dense tasks, one label per image, 20 to 50 regions. A step is forward, loss,
backward and optimiser, as the training loop takes it. Processor time of one thread, medians of interleaved rounds.

python -m benchmarks steps
python -m benchmarks.steps --only pairwise,vector --rounds 3
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from benchmarks.gaussians import voronoi
from crosstask.data.sample import Batch
from crosstask.errors import nearest
from crosstask.recipe import Recipe
from crosstask.training.optimisers import build_optimiser
from crosstask.training.runtime import compile_network
from crosstask.training.step import accumulate_gradients

CLASSES = 13


class Case(NamedTuple):
    """Objectives beside the supervised one, and the most a step may cost relative to it alone."""

    objectives: dict[str, dict[str, Any]]
    aim: float | None = None


CASES = {
    "supervised": Case({}),
    "pairwise": Case({"pairwise": {}}),
    "vector": Case({"region_contrast": {"distance": "vector"}}, 1.3),
    "gaussian-16": Case({"region_contrast": {"widths": [16]}}, 1.3),
    "gaussian-32": Case({"region_contrast": {"widths": [32]}}, 1.6),
}


def one_label_batch(count: int, size: tuple[int, int]) -> Batch:
    """Random images; each is labelled for one of the three tasks in turn and has 20 to 50 regions."""
    rng = torch.Generator().manual_seed(0)
    height, width = size
    targets = {
        "semantic": torch.randint(CLASSES, (count, height // 8, width // 8), generator=rng),
        "depth": 1 + torch.rand(count, 1, height, width, generator=rng),
        "normals": torch.nn.functional.normalize(torch.randn(count, 3, height, width, generator=rng), dim=1),
    }
    targets["semantic"] = targets["semantic"].repeat_interleave(8, 1).repeat_interleave(8, 2)
    for image in range(count):
        for position, target in enumerate(targets.values()):
            if image % len(targets) != position:
                target[image] = float("nan") if target.is_floating_point() else -1
    regions = torch.cat([voronoi(height, width, 20 + 30 * image // max(count - 1, 1), rng) for image in range(count)])
    images = torch.rand(count, 3, height, width, generator=rng).contiguous(memory_format=torch.channels_last)
    ids = [str(image) for image in range(count)]
    return Batch(images, targets, ids, regions.int(), torch.full((count, 4), float("nan")), {})


def training_step(
    encoder: str, objectives: dict[str, dict[str, Any]], batch: Batch, accelerator: str = "cpu", compiled: bool = False
) -> Callable[[], None]:
    """A function that takes one step with the objectives of a recipe."""
    recipe = Recipe.of(
        {
            "data": {"table": "unused.csv"},
            "tasks": {
                "semantic": {"kind": "segmentation", "classes": CLASSES},
                "depth": {"kind": "depth"},
                "normals": {"kind": "normals"},
            },
            "network": {"encoder": encoder},
            "objectives": {"supervised": {}, **objectives},
        }
    )
    tasks = recipe.tasks()
    learner = recipe.learner(tasks, recipe.network(tasks).to(memory_format=torch.channels_last))
    if compiled:
        compile_network(learner.network)
    fabric = Fabric(accelerator=accelerator, devices=1)
    batch = batch.to(fabric.device)
    module, optimiser = fabric.setup(learner, build_optimiser(learner, recipe.training))

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        accumulate_gradients(fabric, module, [batch], iteration=0, iterations=1, seed=0)
        optimiser.step()

    return step


def measure(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of every step in every round, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            times[name].append(time.process_time() - start)
    return {name: each[1:] for name, each in times.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.steps")
    parser.add_argument("--only", default=",".join(CASES), help="names of cases, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encoder", default="hrnet_w18")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args(arguments or [])
    names = list(dict.fromkeys(["supervised", *options.only.split(",")]))
    for name in names:
        if name not in CASES:
            parser.error(f"there is no case {name!r}; {nearest(name, CASES)}")

    torch.set_num_threads(1)
    batch = one_label_batch(options.batch, tuple(options.size))
    steps = {name: training_step(options.encoder, CASES[name].objectives, batch) for name in names}
    times = measure(steps, options.rounds)
    size = "x".join(map(str, options.size))
    print(f"{options.encoder}, {size}, batch {options.batch}, one thread, {options.rounds} rounds; medians")
    print(f"{'objectives':24}{'ms per step':>12}{'relative':>10}{'least':>8}{'most':>8}{'aim':>7}")
    for name in names:
        ratios = [mine / base for mine, base in zip(times[name], times["supervised"], strict=True)]
        aim = "" if CASES[name].aim is None else f"<= {CASES[name].aim}"
        row = f"{name:24}{median(times[name]) * 1e3:12.0f}{median(ratios):10.2f}"
        print(f"{row}{min(ratios):8.2f}{max(ratios):8.2f}{aim:>7}", flush=True)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
