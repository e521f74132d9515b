"""Are labels that `crosstask suggest` chooses worth more than labels chosen at random? CamVid and NYU-v2, simulated.

    python -m benchmarks.studies.suggest camvid.csv --out suggest_camvid --seeds 0,1,2,3,4
    python -m benchmarks.studies.suggest nyuv2.csv --out suggest_nyuv2 --tasks semantic,depth,normals --classes 13
    python -m benchmarks.studies.suggest camvid.csv --out select --seeds 100,101,102 --select

Heads on a frozen encoder (:mod:`benchmarks.studies.frozen`) are trained for every set of labels anew. Every way of
choosing begins with the same 8 images drawn at random, and buys 8, 16 and 32 more for each task:

- *random*;
- *uncertain*: those of the greatest uncertainty, averaged over the image (of classes the entropy);
- *suggest*: as the command does without validation images, by uncertainty over its mean and facility location;
- *diverse*: facility location alone, all images expected to be as wrong;
- *typical*: as many clusters as labels, and of the largest clusters without a label the image in the densest place
  (TypiClust: Hacohen et al., 2022);
- *cells*: the greatest sum over 128 kinds of cells (k-means) of the square root of how many cells of that kind are
  labelled (Wei et al., 2014);
- *classes*: the same of predicted shares of classes (those of labelled images as they are labelled); masks alone.

Scores are those of the test images at stride 8; with ``--select`` of a quarter of the training images, which then
nobody may buy: rules are chosen there. A seed that is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.studies.frozen import Frozen, Heads, fit, frozen, maps, predict
from crosstask.data.table.table import read_table
from crosstask.suggest.choose import choose, squared
from crosstask.tasks import Depth, Normals, Segmentation
from crosstask.tasks.base import Task
from crosstask.writing import write

FIRST, STEPS, CELLS, KINDS = 8, (8, 16, 32), 64, 128
WAYS = ("random", "uncertain", "suggest", "diverse", "typical", "cells", "classes")
METRICS = {"segmentation": ("miou", 1), "depth": ("abs", -1), "normals": ("mean", -1)}
"""The metric of each kind, and whether more of it is better."""


class Pool:
    """The images that may be labelled.

    Args:
        images: what the encoder sees.
        labels: by task, hidden until they are bought.
        tasks: the tasks.
    """

    def __init__(self, images: Frozen, labels: Mapping[str, Tensor], tasks: Mapping[str, Task]) -> None:
        self.images, self.labels, self.tasks = images, labels, tasks
        cells = images.cells[:, 0, ::2, ::2].flatten(1, 2).float().numpy()
        centres = clusters(cells.reshape(-1, cells.shape[-1])[::7], KINDS, 0)
        kinds = np.stack([nearest(each, centres) for each in cells])
        self.kinds = np.stack([np.bincount(each, minlength=KINDS) for each in kinds]) / kinds.shape[1]

    def __len__(self) -> int:
        return len(self.images)


class Choice:
    """One purchase: the pool, what is labelled of a task, what is predicted, and how many more to buy."""

    def __init__(self, pool: Pool, name: str, chosen: list[int], heads: Heads, count: int, seed: int) -> None:
        self.pool, self.name, self.chosen, self.heads, self.count = pool, name, chosen, heads, count
        self.free = np.setdiff1d(np.arange(len(pool)), chosen)
        self.rng = np.random.default_rng([seed, len(chosen)])

    def values(self) -> Tensor:
        """What both views say of the pool, (N, 2, C, h, w)."""
        one = {self.name: self.heads[self.name]}
        return predict(one, self.pool.images, self.pool.tasks, range(len(self.pool)), 2)[self.name]

    def doubts(self) -> np.ndarray:
        """The uncertainty of each image, (N,)."""
        task = self.pool.tasks[self.name]
        return np.array([float(next(iter(task.uncertainty(each).values())).mean()) for each in self.values()])

    def located(self, errors: np.ndarray) -> list[int]:
        """By facility location."""
        open_ = np.zeros((len(self.pool), 1), bool)
        open_[self.free] = True
        features = self.pool.images.pooled.numpy()
        return [each.image for each in choose(features, errors[:, None], open_, ~open_, [1.0], self.count)]

    def covered(self, amounts: np.ndarray) -> list[int]:
        """By the square roots of summed amounts (N, K)."""
        total, left, found = amounts[self.chosen].sum(0), self.free.tolist(), []
        for _ in range(self.count):
            gains = (np.sqrt(total + amounts[left]) - np.sqrt(total)).sum(1)
            found.append(left.pop(int(gains.argmax())))
            total = total + amounts[found[-1]]
        return found


def by_chance(choice: Choice) -> list[int]:
    """Any."""
    return choice.rng.permutation(choice.free)[: choice.count].tolist()


def uncertain(choice: Choice) -> list[int]:
    """Those of the greatest doubt."""
    doubt = choice.doubts()
    return sorted(choice.free.tolist(), key=lambda image: -doubt[image])[: choice.count]


def suggested(choice: Choice) -> list[int]:
    """Facility location over doubts."""
    doubt = choice.doubts()
    return choice.located(np.clip(doubt / doubt.mean(), 0.1, 10))


def diverse(choice: Choice) -> list[int]:
    """Facility location alone."""
    return choice.located(np.ones(len(choice.pool)))


def typical(choice: Choice) -> list[int]:
    """The densest place of each of the largest clusters without a label."""
    features, total = choice.pool.images.pooled.numpy(), len(choice.chosen) + choice.count
    cluster = nearest(features, clusters(features, total, 0))
    spread = np.sort(squared(features, features), 1)[:, 1:21].mean(1)
    size = np.bincount(cluster, minlength=total)
    size[cluster[choice.chosen]] = 0
    found = [int(min(np.where(cluster == each)[0], key=spread.__getitem__)) for each in np.argsort(-size) if size[each]]
    rest = [image for image in choice.rng.permutation(choice.free).tolist() if image not in found]
    return [*found, *rest][: choice.count]


def cells(choice: Choice) -> list[int]:
    """Kinds of cells."""
    return choice.covered(choice.pool.kinds)


def classes(choice: Choice) -> list[int]:
    """Predicted classes; of other kinds than masks by kinds of cells."""
    if choice.pool.tasks[choice.name].kind != "segmentation":
        return cells(choice)
    shares = choice.values().mean((1, 3, 4)).numpy()
    for image in choice.chosen:
        label = choice.pool.labels[choice.name][image]
        shares[image] = np.bincount(label[label >= 0].numpy(), minlength=shares.shape[1]) / max(
            int((label >= 0).sum()), 1
        )
    return choice.covered(shares)


RULES: dict[str, Callable[[Choice], list[int]]] = dict(
    zip(WAYS, (by_chance, uncertain, suggested, diverse, typical, cells, classes), strict=True)
)


def clusters(points: np.ndarray, count: int, seed: int, rounds: int = 12) -> np.ndarray:
    """The centres of k-means."""
    centres = points[np.random.default_rng(seed).permutation(len(points))[:count]].copy()
    for _ in range(rounds):
        own = nearest(points, centres)
        for each in range(count):
            if (own == each).any():
                centres[each] = points[own == each].mean(0)
    return centres


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of each point."""
    return (2 * points @ centres.T - (centres**2).sum(1)).argmax(1)


def score(heads: Heads, images: Frozen, labels: Mapping[str, Tensor], tasks: Mapping[str, Task]) -> dict[str, float]:
    """The metric of each task."""
    values = predict(heads, images, tasks, range(len(images)), 2)
    found = {}
    for name, task in tasks.items():
        both = values[name]
        raw = both.log().mean(1) if task.kind == "depth" else both.mean(1)
        metric = task.metric()
        metric.update(raw.log() if task.kind == "segmentation" else raw, labels[name][..., ::2, ::2])
        found[name] = metric.compute()[METRICS[task.kind][0]]
    return found


def one_seed(
    seed: int, ways: Sequence[str], pool: Pool, images: Frozen, labels: Mapping[str, Tensor]
) -> dict[str, dict[int, dict[str, float]]]:  # fmt: skip
    """Scores by way of choosing and number of labels."""
    tasks = pool.tasks
    first = np.random.default_rng(seed).permutation(len(pool))[:FIRST].tolist()

    def trained(chosen: Mapping[str, list[int]]) -> Heads:
        with torch.enable_grad():
            return fit(pool.images, pool.labels, tasks, chosen, CELLS, seed)

    start = trained(dict.fromkeys(tasks, first))
    begin = score(start, images, labels, tasks)
    found = {}
    for way in ways:
        chosen, heads, curve = {name: list(first) for name in tasks}, start, {FIRST: begin}
        for count in STEPS:
            for name in tasks:
                chosen[name] += RULES[way](Choice(pool, name, chosen[name], heads, count, seed))
            heads = trained(chosen)
            curve[sum(map(len, chosen.values())) // len(tasks)] = score(heads, images, labels, tasks)
        found[way] = curve
        print(seed, way, curve, flush=True)
    return found


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--tasks", default="semantic")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--select", action="store_true", help="measure on a quarter of the training images")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    every: dict[str, Task] = {"semantic": Segmentation("semantic", classes=arguments.classes),
                              "depth": Depth("depth", loss="log"), "normals": Normals("normals")}  # fmt: skip
    tasks = {name: every[name] for name in arguments.tasks.split(",")}
    ways = arguments.ways.split(",")
    files = {int(seed): arguments.out / f"seed_{seed}.json" for seed in arguments.seeds.split(",")}
    if not all(file.is_file() for file in files.values()):
        table = read_table(arguments.table)
        train = np.array([row for row, each in enumerate(table.rows) if each["split"] == "train"])
        test = np.array([row for row, each in enumerate(table.rows) if each["split"] == "test"])
        images, labels = frozen(table, arguments.out.parent / f"{arguments.table.stem}.pt", train), maps(table, tasks)
        if arguments.select:
            order = np.random.default_rng(99).permutation(train)
            test, train = order[: len(order) // 4], order[len(order) // 4 :]
        pool = Pool(images[train], {name: each[train] for name, each in labels.items()}, tasks)
        held = {name: each[test] for name, each in labels.items()}
        for seed, file in files.items():
            if not file.is_file():
                write(file, json.dumps(one_seed(seed, ways, pool, images[test], held)))
    report([json.loads(file.read_text()) for file in files.values()], tasks)


def report(found: list[dict[str, dict[str, dict[str, float]]]], tasks: Mapping[str, Task]) -> None:
    """By task: means over the seeds, the difference to random choice, and how many labels at random score the same."""
    ways, numbers = list(found[0]), list(found[0]["random"])
    for name, task in tasks.items():
        metric, better = METRICS[task.kind]
        print(f"{name} {metric}, {len(found)} seeds; difference to random ± standard error; times fewer labels")
        at_random = np.array([[each["random"][count][name] for count in numbers] for each in found])
        line = np.maximum.accumulate(better * at_random.mean(0))
        for way in ways:
            values = np.array([[each[way][count][name] for count in numbers] for each in found])
            apart = values - at_random
            error = apart.std(0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.zeros(len(numbers))
            like = np.exp(np.interp(better * values.mean(0), line, np.log([float(each) for each in numbers])))
            said = [f"{n}: {value:.3f} ({difference:+.3f} ± {e:.3f}; {same / float(n):.2f})"
                    for n, value, difference, e, same in zip(numbers, values.mean(0), apart.mean(0), error, like,
                                                             strict=True)]  # fmt: skip
            print(f"  {way:10}", "  ".join(said))


if __name__ == "__main__":
    main()
