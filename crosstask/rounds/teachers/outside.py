"""A model from outside as a teacher of one task: brought to agree with the labels there are, and trusted as far as it
agrees with labels it was not fitted to (:mod:`~crosstask.rounds.teachers.agreement`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crosstask.data.sample import Sample
from crosstask.data.table.table import Table
from crosstask.errors import DataError, RecipeError, nearest
from crosstask.reading import read_json
from crosstask.recipe import Recipe
from crosstask.rounds.files import Progress
from crosstask.rounds.teachers.affine import SPACES, Affine, fit
from crosstask.rounds.teachers.agreement import FOLDS, RELATIVE, camera, compared, held_out, pairs
from crosstask.rounds.teachers.base import Trusted
from crosstask.rounds.teachers.models import EXPORTED, Ask, ask_model
from crosstask.seeding import derive
from crosstask.tasks.base import Task
from crosstask.writing import write


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
    def of(cls, given: Any, task: Task) -> Outside:
        """What stands in a recipe for a task: a name, or options.

        Raises:
            RecipeError: it is neither, or an option is not valid.
        """
        where = f"refine.teachers.{task.name}"
        options: Any = {"model": given} if isinstance(given, str) else given
        if not isinstance(options, Mapping) or not isinstance(options.get("model"), str):
            raise RecipeError(f"{where}: expected a name, or {{model: NAME, names: ...}}, found {given!r:.80}")
        for key in options:
            if key not in cls.__dataclass_fields__:
                raise RecipeError(f"{where}.{key}: no such option; {nearest(str(key), cls.__dataclass_fields__)}")
        names, space = options.get("names"), options.get("space")
        names = {} if names is None else names
        if not isinstance(names, Mapping) or not all(isinstance(word, str) for pair in names.items() for word in pair):
            raise RecipeError(f"{where}.names: expected a mapping of words, {{sea: water}} say, found {names!r:.80}")
        if space is not None and space not in list(SPACES):
            raise RecipeError(f"{where}.space is {space!r:.80}; {nearest(str(space), SPACES)}")
        if space is not None and task.kind not in RELATIVE:
            raise RecipeError(f"{where}.space: is for {', '.join(RELATIVE)}, not for {task.kind}: leave it out")
        return cls(options["model"], dict(names), space)


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
    note = folder / f"teacher_{task.name}_{name}_{derive(repr(given)):016x}.json"
    if not note.exists():
        found = compared(task, base, recipe, ask, progress)
        relative = given.space is not None or (task.kind in RELATIVE and Path(given.model).suffix not in EXPORTED)
        if relative and len(found) < FOLDS:
            raise DataError(
                f"{where}: {given.model} is fitted to labels, and only {len(found)} training images have {task.name}: "
                f"label {FOLDS} at least"
            )
        spaces = (given.space,) if given.space else tuple(SPACES) if relative else (None,)
        weights = {space: held_out(task, found, space) for space in spaces}
        space = max(weights, key=lambda each: float(weights[each].mean()))
        weight, lines = weights[space], {} if space is None else fit(pairs(found), space).lines
        folder.mkdir(parents=True, exist_ok=True)
        content = {"images": len(found), "space": space, "lines": lines, "weight": weight.tolist()}
        write(note, json.dumps(content, indent=1))
    content = read_json(note, "remove it, it is made again")
    affine = content["space"] and Affine(content["space"], {key: tuple(line) for key, line in content["lines"].items()})
    weight = torch.tensor(content["weight"])
    shape = f", as {content['space']} up to scale and shift" if content["space"] else ""
    agrees = f"agrees by {float(weight.mean()):.2f} with the labels of {content['images']} images"
    said = f"{task.name}: {given.model} {agrees}{shape}"
    return Trusted(OutsideTeacher(name, task, ask, affine or None), weight), said
