"""A model from outside as a teacher of one task: brought to agree with the labels there are, and trusted as far as it
agrees with labels it was not fitted to.

The training images with a given label of the task are cut into folds. On each fold the model is compared with the
labels after a fit to the other folds (for depth and disparity: :mod:`~crosstask.rounds.teachers.affine`; other kinds
have nothing to fit). Its weight is the mean agreement:

- classes, class by class: the share of the pixels said to be of it that are;
- depth, disparity: 1 / (1 + (s / 0.1)^2) with the s that two thirds of the errors of the logarithm lie within;
- everything else: the confidence that a label and the model's word have together, see :mod:`crosstask.tasks.fusion`.

Labels of validation and test images are never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.sample import Sample
from crosstask.data.table.table import Table
from crosstask.errors import DataError, RecipeError, nearest
from crosstask.reading import read_json
from crosstask.recipe import Recipe
from crosstask.rounds.files import Progress
from crosstask.rounds.labels import training_rows
from crosstask.rounds.teachers.affine import SPACES, Affine, Pair, fit
from crosstask.rounds.teachers.base import Trusted
from crosstask.rounds.teachers.models import EXPORTED, Ask, ask_model
from crosstask.seeding import derive
from crosstask.tasks.base import Task
from crosstask.tasks.classification import Classification
from crosstask.tasks.fusion import TAU
from crosstask.writing import write

FOLDS = 4
MOST = 200
"""Images a model is compared on."""
PIXELS = 512
"""Pixels of each that are looked at."""
RELATIVE = ("depth", "disparity")
"""Kinds whose models are right up to scale and shift."""


@dataclass(frozen=True)
class Outside:
    """What a recipe says of a model from outside.

    Args:
        model: name or folder of a transformers model, or an exported file.
        names: see :func:`~crosstask.rounds.teachers.models.ask_model`.
        space: for depth: where the model is right up to scale and shift (inverse, depth or log); the one that agrees
            best with labels where null.
    """

    model: str
    names: Mapping[str, str] = field(default_factory=dict)
    space: str | None = None

    @classmethod
    def of(cls, given: Any, where: str) -> Outside:
        """What stands in a recipe: a name, or options.

        Raises:
            RecipeError: it is neither.
        """
        options: Any = {"model": given} if isinstance(given, str) else given
        if not isinstance(options, Mapping) or not isinstance(options.get("model"), str):
            raise RecipeError(f"{where}: expected a name, or {{model: NAME, names: ...}}, found {given!r:.80}")
        for key in options:
            if key not in cls.__dataclass_fields__:
                raise RecipeError(f"{where}.{key}: no such option; {nearest(str(key), cls.__dataclass_fields__)}")
        found = cls(options["model"], dict(options.get("names") or {}), options.get("space"))
        if found.space is not None and found.space not in SPACES:
            raise RecipeError(f"{where}.space is {found.space!r}; {nearest(str(found.space), SPACES)}")
        return found


class OutsideTeacher:
    """See :class:`~crosstask.rounds.teachers.base.Teacher`."""

    def __init__(self, name: str, task: Task, ask: Ask, affine: Affine | None) -> None:
        self.name, self.task, self.ask, self.affine = name, task, ask, affine

    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        """The values of the teacher for one sample, by task."""
        values = self.ask(sample)
        return {self.task.name: values if self.affine is None else self.affine(values, camera(sample))}


def outside_teacher(
    given: Outside,
    task: Task,
    base: Table,
    recipe: Recipe,
    device: str,
    folder: Path,
    progress: Progress | None = None,
) -> tuple[Trusted, str]:
    """The teacher, and a line that says how it agrees.

    Args:
        given: what the recipe says of it.
        task: the task it labels.
        base: the labels it is brought to agree with.
        recipe: where the training rows are.
        device: where it runs.
        folder: where its fit is noted; a note that is there is read again.
        progress: called with (images done, images in all).

    Raises:
        RecipeError: there is no such model.
        DataError: relative depth, and no label to bring it to metres with.
    """
    where = f"refine.teachers.{task.name}"
    ask = ask_model(given.model, task, given.names, device, where)
    name = Path(given.model).name or given.model
    note = folder / f"teacher_{task.name}_{name}.json"
    if not note.exists():
        pairs = _compared(task, base, recipe, ask, progress)
        relative = task.kind in RELATIVE and Path(given.model).suffix not in EXPORTED
        if relative and len(pairs) < FOLDS:
            raise DataError(
                f"{where}: {given.model} is fitted to labels, and only {len(pairs)} training images have {task.name}: "
                f"label {FOLDS} at least"
            )
        spaces = (given.space,) if given.space else tuple(SPACES) if relative else (None,)
        weights = {space: _held_out(task, pairs, space) for space in spaces}
        space = max(weights, key=lambda each: float(weights[each].mean()))
        weight, lines = weights[space], {} if space is None else fit(_pairs(pairs), space).lines
        folder.mkdir(parents=True, exist_ok=True)
        content = {"images": len(pairs), "space": space, "lines": lines, "weight": weight.tolist()}
        write(note, json.dumps(content, indent=1))
    content = read_json(note, "remove it, it is made again")
    affine = content["space"] and Affine(content["space"], {key: tuple(line) for key, line in content["lines"].items()})
    weight = torch.tensor(content["weight"])
    shape = f", as {content['space']} up to scale and shift" if content["space"] else ""
    agrees = f"agrees by {float(weight.mean()):.2f} with the labels of {content['images']} images"
    said = f"{task.name}: {given.model} {agrees}{shape}"
    return Trusted(OutsideTeacher(name, task, ask, affine or None), weight), said


def camera(sample: Sample) -> str:
    """The camera of an image, by its intrinsics; ``""`` where they are not known."""
    numbers = sample.intrinsics
    return " ".join(f"{number:.3g}" for number in numbers[:2].tolist()) if bool(numbers.isfinite().all()) else ""


Compared = tuple[str, Tensor, Tensor]
"""Camera, values (1, C, N) or (1, C), and targets (..., N) or as they are, of the pixels looked at in one image."""


def _compared(task: Task, base: Table, recipe: Recipe, ask: Ask, progress: Progress | None) -> list[Compared]:
    """What the model and the labels say of some pixels of training images with a given label, in a fixed order."""
    dataset = TableDataset(base, {task.name: task}, confined=recipe.data.confined)
    given = dataset.given()[:, 0].tolist()
    rows = [index for index in training_rows(base, recipe.data) if given[index]]
    rows = sorted(rows, key=lambda index: derive(0, "compared", dataset.ids[index]))[:MOST]
    found: list[Compared] = []
    for count, index in enumerate(rows, 1):
        sample = dataset[index]
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


def _pairs(compared: list[Compared]) -> list[Pair]:
    return [Pair(camera, values[0, 0], target[0]) for camera, values, target in compared]


def _held_out(task: Task, compared: list[Compared], space: str | None) -> Tensor:
    """The weight: agreement with labels of folds that nothing was fitted to; a number, or one for each class."""
    if not compared:
        return torch.ones(())
    said: list[Tensor] = []
    for fold in range(FOLDS):
        part = compared[fold::FOLDS]
        if space is not None:
            affine = fit(
                _pairs([each for other in range(FOLDS) if other != fold for each in compared[other::FOLDS]]), space
            )
            part = [(camera, affine(values, camera), target) for camera, values, target in part]
        said += [_agreement(task, values, target) for _, values, target in part]
    if task.kind in RELATIVE:
        errors = torch.cat([each.flatten() for each in said])
        spread = float(errors.quantile(0.68)) if len(errors) < 10**6 else float(errors.median()) * 1.4826
        return torch.tensor(1 / (1 + (spread / TAU) ** 2))
    if isinstance(task, Classification):
        right, all_said = torch.stack(said).sum(0)
        overall = right.sum() / all_said.sum().clamp(min=1)
        return (right / all_said.clamp(min=1)).where(all_said > 0, overall)
    return torch.cat([each.flatten() for each in said]).mean()


def _agreement(task: Task, values: Tensor, target: Tensor) -> Tensor:
    """Of one image: absolute log errors, (2, C) counts of right and of all, or confidences together."""
    if task.kind in RELATIVE:
        return (values[0].log() - target.log()).abs()
    if isinstance(task, Classification):
        said = task.fuse(values).value
        known = (said >= 0) & (target >= 0)
        count = lambda chosen: torch.bincount(said[chosen].flatten(), minlength=task.channels).float()  # noqa: E731
        return torch.stack([count(known & (said == target)), count(known)])
    label = target[None].to(values)
    return (
        task.fuse(torch.cat([values, label])).confidence[task.known(target)]
        if not task.dense
        else _dense(task, values, label)
    )


def _dense(task: Task, values: Tensor, label: Tensor) -> Tensor:
    """Confidences of maps of pixels in a row (1, C, N)."""
    fused = task.fuse(torch.cat([values, label]).unsqueeze(-2))
    return fused.confidence
