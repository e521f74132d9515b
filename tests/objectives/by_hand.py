"""Small batches of every label setting, and losses written down from their formulas, for the tests of strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from crosstask.data.sample import Batch
from crosstask.learner.learner import Learner
from crosstask.networks import MultiTaskNetwork
from crosstask.recipe import Recipe
from crosstask.recipe.shipped import SHIPPED
from crosstask.recipe.written import merge, read_recipe
from crosstask.tasks import KINDS

SIZE = (64, 96)
KINDS_OF = {
    "semantic": {"kind": "segmentation", "classes": 3},
    "depth": {"kind": "depth"},
    "normals": {"kind": "normals"},
    "saliency": {"kind": "saliency"},
    "tags": {"kind": "tags", "classes": ["a", "b"]},
}
LABELS = {
    (3, "one"): [{"semantic"}, {"depth"}, {"normals"}, {"depth"}],
    (3, "random"): [{"semantic", "depth"}, {"depth"}, {"normals", "semantic"}, {"normals"}],
    (3, "full"): [{"semantic", "depth", "normals"}] * 2,
    (2, "one"): [{"semantic"}, {"depth"}, {"depth"}],
    (2, "random"): [{"semantic", "depth"}, {"depth"}, {"semantic"}],
    (2, "full"): [{"semantic", "depth"}] * 2,
}
NAMES = ["semantic", "depth", "normals"]


def make_batch(labelled: list[set[str]], names: list[str], seed: int = 1) -> Batch:
    """Images with labels of the given tasks only, of which the upper rows are unknown; four regions each."""
    rng = torch.Generator().manual_seed(seed)
    count = len(labelled)
    depth = 1 + 3 * torch.rand(count, 1, *SIZE, generator=rng)
    normals = torch.randn(count, 3, *SIZE, generator=rng)
    targets = {
        "semantic": torch.randint(0, 3, (count, *SIZE), generator=rng),
        "depth": depth,
        "normals": torch.nn.functional.normalize(normals, dim=1),
        "saliency": torch.rand(count, 1, *SIZE, generator=rng).round(),
        "tags": torch.rand(count, 2, generator=rng).round(),
    }
    for index, present in enumerate(labelled):  # up to 40 of 64 rows of an image's labels are unknown
        rows = int(torch.randint(40, (), generator=rng))
        for name in names:
            unknown = -1 if name == "semantic" else math.nan
            if name not in present:
                targets[name][index] = unknown
            elif name != "tags":
                targets[name][index, ..., :rows, :] = unknown
    regions = torch.zeros(count, *SIZE, dtype=torch.int32)
    regions[:, 32:] += 1
    regions[:, :, 48:] += 2
    images = torch.rand(count, 3, *SIZE, generator=rng)
    ids = [str(index) for index in range(count)]
    targets = {name: targets[name] for name in names}
    return Batch(images, targets, ids, regions, torch.full((count, 4), math.nan), {})


def options_of(patches: str) -> dict[str, dict[str, Any]]:
    """The objectives of patches joined by ``+``."""
    merged: dict[str, Any] = {}
    for patch in patches.split("+"):
        merged = merge(merged, read_recipe(SHIPPED / "patches" / f"{patch}.yaml"))
    return merged["objectives"]


def learner_of(objectives: dict[str, dict[str, Any]], names: list[str], **network: Any) -> Learner:
    """A small network with the objectives, as a recipe makes them."""
    torch.manual_seed(0)
    tasks = {
        name: KINDS[KINDS_OF[name]["kind"]](name, **{k: v for k, v in KINDS_OF[name].items() if k != "kind"})
        for name in names
    }
    made = MultiTaskNetwork(tasks, encoder_options={"width": 4, "output_stride": 8}, **network)
    given = {"data": {"table": "none.csv"}, "tasks": {name: KINDS_OF[name] for name in names}}
    return Recipe.of(given | {"objectives": objectives}).learner(tasks, made).eval()


def loss_of(learner: Learner, batches: Iterable[Batch], iteration: int = 10**6) -> float:
    """As the loop makes it, by default at the end of all ramps: the sum of the terms' totals over their counts in the
    step."""
    totals: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    for batch in batches:
        for name, (total, count) in learner(batch, iteration, iteration + 1, torch.Generator()).items():
            totals[name] = totals.get(name, 0) + total
            counts[name] = counts.get(name, 0) + count
    return float(sum(total / max(counts[name], 1) for name, total in totals.items()).detach())


class Recorded:
    """The arguments and results of all calls of a method, in their order."""

    def __init__(self, owner: Any, name: str) -> None:
        self.calls: list[tuple[tuple[Any, ...], Any]] = []
        method: Callable[..., Any] = getattr(owner, name)

        def called(*arguments: Any) -> Any:
            result = method(*arguments)
            self.calls.append((arguments, result))
            return result

        object.__setattr__(owner, name, called)

    @property
    def results(self) -> list[Any]:
        return [result for _, result in self.calls]


def known_of(batch: Batch, name: str, index: int) -> np.ndarray:
    """Which entries of an image's label are known."""
    target = batch.targets[name][index].numpy()
    if name == "semantic":
        return target >= 0
    return ~np.isnan(target) if name == "tags" else ~np.isnan(target[0])


def losses_of(name: str, raw: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The loss of each entry of one image; anything where the label is unknown."""
    if name == "semantic":
        logits = raw - raw.max(0)
        log = logits - np.log(np.exp(logits).sum(0))
        return -np.take_along_axis(log, np.maximum(label, 0)[None], 0)[0]
    if name == "depth":
        return np.abs(raw - label)[0]
    if name == "normals":
        return 1 - (raw * label).sum(0) / np.sqrt((raw**2).sum(0)).clip(1e-9)
    entropy = np.logaddexp(0, raw) - label * raw  # of what is there or not
    return entropy if name == "tags" else entropy[0]


def of_image(name: str, raw: torch.Tensor, batch: Batch, index: int) -> np.ndarray:
    """The losses of the known entries of one image."""
    losses = losses_of(name, raw[index].detach().numpy(), batch.targets[name][index].numpy())
    return losses[known_of(batch, name, index)]


def supervised(predictions: dict[str, torch.Tensor], batch: Batch, index: int) -> float:
    """The means over the known entries of one image, summed over its labelled tasks."""
    total = 0.0
    for name, prediction in predictions.items():
        losses = of_image(name, prediction, batch, index)
        total += losses.mean() if losses.size else 0.0
    return total


def supervised_by_pixels(predictions: dict[str, torch.Tensor], batch: Batch, names: list[str] | None = None) -> float:
    """The means over the known entries of the step, summed over tasks."""
    total = 0.0
    for name in names or list(batch.targets):
        losses = np.concatenate([of_image(name, predictions[name], batch, index) for index in range(len(batch))])
        total += losses.mean() if losses.size else 0.0
    return total
