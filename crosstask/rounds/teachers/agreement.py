"""How far a model agrees with labels it was not fitted to.

The training images with a given label of the task are cut into folds. On each fold the model is compared with the
labels after a fit to the other folds (for depth and disparity: :mod:`~crosstask.rounds.teachers.affine`; other kinds
have nothing to fit). Its weight is the mean agreement:

- classes, class by class: the share of the pixels said to be of it that are;
- depth, disparity: 1 / (1 + (s / 0.1)^2) with the s that two thirds of the errors of the logarithm lie within;
- everything else: the confidence that a label and the model's word have together, see :mod:`crosstask.tasks.fusion`.

Labels of validation and test images are never looked at.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.loading.readable import readable
from crosstask.data.sample import Sample
from crosstask.data.table.table import Table
from crosstask.recipe import Recipe
from crosstask.rounds.files import Progress
from crosstask.rounds.teachers.affine import Pair, fit
from crosstask.rounds.teachers.models import Ask
from crosstask.seeding import derive
from crosstask.splits import training_ids
from crosstask.tasks.base import Task
from crosstask.tasks.classification import Classification
from crosstask.tasks.fusion import TAU
from crosstask.tasks.length import FLOOR

FOLDS = 4
MOST = 200
"""Images a model is compared on."""
PIXELS = 512
"""Pixels of each that are looked at."""
RELATIVE = ("depth", "disparity")
"""Kinds whose models are right up to scale and shift."""

Compared = tuple[str, Tensor, Tensor]
"""Camera, values (1, C, N) or (1, C), and targets (..., N) or as they are, of the pixels looked at in one image."""


def camera(sample: Sample) -> str:
    """The camera of an image, by its intrinsics; ``""`` where they are not known."""
    numbers = sample.intrinsics
    return " ".join(f"{number:.3g}" for number in numbers[:2].tolist()) if bool(numbers.isfinite().all()) else ""


def compared(task: Task, base: Table, recipe: Recipe, ask: Ask, progress: Progress | None) -> list[Compared]:
    """What the model and the labels say of some pixels of training images with a given label, in a fixed order."""
    dataset = TableDataset(base, {task.name: task}, confined=recipe.data.confined)
    given = dataset.given()[:, 0].tolist()
    trained = set(training_ids(replace(recipe.data, table=str(base.path)), recipe.tasks()))
    rows = [index for index, name in enumerate(dataset.ids) if name in trained and given[index]]
    rows = sorted(rows, key=lambda index: derive(0, "compared", dataset.ids[index]))[:MOST]
    found: list[Compared] = []
    for count, (_, sample) in enumerate(readable(dataset, rows, recipe.data.on_error), 1):
        target, values = sample.targets[task.name].as_subclass(Tensor), ask(sample).float()
        if task.dense:
            known = task.known(target).flatten().nonzero()[:, 0]
            generator = torch.Generator().manual_seed(derive(0, "pixels", sample.id))
            chosen = known[torch.randperm(len(known), generator=generator)[:PIXELS]]
            values = values.flatten(2)[..., chosen]
            target = target.reshape(*target.shape[:-2], -1)[..., chosen]
        found.append((camera(sample), values, target))
        if progress is not None:
            progress(count, len(rows))
    return found


def pairs(found: list[Compared]) -> list[Pair]:
    """What an affine fit is made of, for tasks of one value per pixel."""
    return [Pair(camera, values[0, 0], target[0]) for camera, values, target in found]


def held_out(task: Task, found: list[Compared], space: str | None) -> Tensor:
    """The weight: agreement with labels of folds that nothing was fitted to; a number, or one for each class."""
    if not found:
        return torch.ones(())
    said: list[Tensor] = []
    for fold in range(FOLDS):
        part = found[fold::FOLDS]
        if space is not None:
            others = [each for other in range(FOLDS) if other != fold for each in found[other::FOLDS]]
            affine = fit(pairs(others), space)
            part = [(camera, affine(values, camera), target) for camera, values, target in part]
        said += [_agreement(task, values, target) for _, values, target in part]
    if task.kind in RELATIVE:
        spread = float(torch.cat([each.flatten() for each in said]).quantile(0.68))
        return torch.tensor(1 / (1 + (spread / TAU) ** 2))
    if isinstance(task, Classification):
        right, all_said = torch.stack(said).sum(0)
        overall = right.sum() / all_said.sum().clamp(min=1)
        return (right / all_said.clamp(min=1)).where(all_said > 0, overall)
    return torch.cat([each.flatten() for each in said]).mean()


def _agreement(task: Task, values: Tensor, target: Tensor) -> Tensor:
    """Of one image: absolute log errors, (2, C) counts of right and of all, or confidences together."""
    if task.kind in RELATIVE:
        return (values[0].clamp(min=FLOOR).log() - target.log()).abs()
    if isinstance(task, Classification):
        said = task.fuse(values).value
        known = (said >= 0) & (target >= 0)
        count = lambda chosen: torch.bincount(said[chosen].flatten(), minlength=task.channels).float()  # noqa: E731
        return torch.stack([count(known & (said == target)), count(known)])
    together = torch.cat([values, target[None].to(values)])
    if task.dense:
        return task.fuse(together.unsqueeze(-2)).confidence  # maps of pixels in a row
    return task.fuse(together).confidence[task.known(target)]
