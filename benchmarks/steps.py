"""What a whole training step costs with each objective, relative to supervised learning alone, on the CPU.

Three dense tasks, one label per image, 20 to 50 regions; each case beside supervised learning in its own setting. A
step is forward, loss, backward and optimiser, as the training loop takes it. Processor time of one thread, medians of
interleaved rounds, so that ratios hold on a busy machine too.

python -m benchmarks steps
python -m benchmarks.steps --only pairwise_as_published --rounds 9
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
from crosstask.recipe.shipped import SHIPPED
from crosstask.recipe.written import read_recipe
from crosstask.training.optimisers import build_optimiser
from crosstask.training.runtime import compile_network
from crosstask.training.step import accumulate_gradients

CLASSES = 13


class Setting(NamedTuple):
    """What a step is taken with.

    Attributes:
        network: section of a recipe.
        size: height and width of the images.
        batch: how many of them.
    """

    network: dict[str, Any]
    size: tuple[int, int]
    batch: int

    def __str__(self) -> str:
        network = ", ".join(map(str, self.network.values()))
        return f"{network}, {self.size[0]}x{self.size[1]}, batch {self.batch}"


HRNET = Setting({"encoder": "hrnet_w18"}, (192, 256), 8)
SEGNET = Setting({"encoder": "segnet", "decoder": "finest"}, (96, 128), 2)


class Case(NamedTuple):
    """Objectives (the supervised one is there anyway), and the most a step may cost relative to it alone."""

    objectives: dict[str, dict[str, Any]]
    aim: float | None = None
    setting: Setting = HRNET


def published(patch: str) -> dict[str, dict[str, Any]]:
    """The objectives of a patch."""
    objectives: dict[str, dict[str, Any]] = read_recipe(SHIPPED / "patches" / f"{patch}.yaml")["objectives"]
    return objectives


CASES = {
    "vector": Case({"region_contrast": {"distance": "vector"}}, 1.3),
    "gaussian-16": Case({"region_contrast": {"widths": [16]}}, 1.3),
    "gaussian-32": Case({"region_contrast": {"widths": [32]}}, 1.6),
    "pairwise": Case({"pairwise": {}}),
    "pairwise_as_published": Case(published("pairwise_as_published"), 2.5, SEGNET),
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
    network: dict[str, Any],
    objectives: dict[str, dict[str, Any]],
    batch: Batch,
    accelerator: str = "cpu",
    compiled: bool = False,
) -> Callable[[], None]:
    """A function that takes one step with the network and the objectives of a recipe."""
    recipe = Recipe.of(
        {
            "data": {"table": "unused.csv"},
            "tasks": {
                "semantic": {"kind": "segmentation", "classes": CLASSES},
                "depth": {"kind": "depth"},
                "normals": {"kind": "normals"},
            },
            "network": network,
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


def show(setting: Setting, names: list[str], rounds: int) -> None:
    """Measure the cases of one setting and print a row for each."""
    batch = one_label_batch(setting.batch, setting.size)
    cases = {"supervised": Case({})} | {name: CASES[name] for name in names}
    steps = {name: training_step(setting.network, case.objectives, batch) for name, case in cases.items()}
    times = measure(steps, rounds)
    print(f"{setting}, one thread, {rounds} rounds; medians")
    print(f"{'objectives':24}{'ms per step':>12}{'relative':>10}{'least':>8}{'most':>8}{'aim':>9}")
    for name, case in cases.items():
        ratios = [mine / base for mine, base in zip(times[name], times["supervised"], strict=True)]
        aim = "" if case.aim is None else f"<= {case.aim}"
        row = f"{name:24}{median(times[name]) * 1e3:12.0f}{median(ratios):10.2f}"
        print(f"{row}{min(ratios):8.2f}{max(ratios):8.2f}{aim:>9}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.steps")
    parser.add_argument("--only", default=",".join(CASES), help="names of cases, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments or [])
    names = options.only.split(",")
    for name in names:
        if name not in CASES:
            parser.error(f"there is no case {name!r}; {nearest(name, CASES)}")
    torch.set_num_threads(1)
    for setting in (HRNET, SEGNET):
        chosen = [name for name in names if CASES[name].setting is setting]
        if chosen:
            show(setting, chosen, options.rounds)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
