"""Networks that did not train on the labels they judge: the run's recipe, once per fold of the images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crosstask.errors import RecipeError, RunError
from crosstask.evaluation.row_images import content
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge, parse_overrides
from crosstask.rounds.crossfit import folds as folds_of
from crosstask.trained import TrainedRun, load_run
from crosstask.training.fingerprint import digests
from crosstask.writing import write


class Interrupted(Exception):
    """A training was interrupted; the same command goes on with it."""


def train_folds(
    run: TrainedRun, count: int, folder: Path, overrides: Sequence[str] = (), quiet: bool = False
) -> tuple[list[TrainedRun], np.ndarray]:
    """Train a network per fold, without any label of the fold's images; those that are trained are kept.

    Images, not labels, are cut into folds, and files that are the same image are in one fold.

    Args:
        run: the run that is audited; its recipe is trained again.
        count: of folds.
        folder: where the runs are made, in a folder of their own for other folds, flags or labels.
        overrides: dotted flags laid over the recipe, for smaller or shorter trainings.
        quiet: show no progress.

    Returns:
        The networks, and the fold of each training image, (N,).

    Raises:
        Interrupted: a training was interrupted.
        RecipeError: more folds than images, or an override that is not valid.
    """
    train, names = run.splits.train, list(run.tasks)
    if len(train) < count:
        raise RecipeError(f"--folds {count}: there are {len(train)} training images: give fewer folds")
    table = run.splits.labels
    fold_of = folds_of(table.only(set(train.ids)), run.recipe.data, names, count, run.recipe.data.labels_seed)
    folds = np.array([fold_of[name] for name in train.ids])
    kept = train.labelled().numpy()
    trained = []
    sections = parse_overrides(overrides, run.recipe.sections)
    folder /= _digest(run, count, sections)
    for number in range(count):
        use = kept & (folds != number)[:, None]
        listed = {task: [train.ids[index] for index in use[:, place].nonzero()[0]] for place, task in enumerate(names)}
        empty = [task for task, ids in listed.items() if not ids]
        if empty:
            raise RecipeError(f"--folds {count}: fold {number} leaves no label of {empty[0]}: give more folds")
        lists = folder / f"fold_{number}.json"
        try:
            write(lists, json.dumps(listed))
        except OSError as error:
            raise RunError(f"{lists}: cannot be written ({error.strerror or error})") from error
        data = {"labels": f"lists:{lists}", "validation_fraction": 0.0}
        recipe = Recipe.of(merge(sections, {"data": data}), run.recipe.trust)
        path = folder / f"fold_{number}"
        if Experiment(recipe, path, quiet, "auto").fit().status == "interrupted":
            raise Interrupted
        trained.append(load_run(path, "last", run.recipe.trust))
    return trained, folds


def _digest(run: TrainedRun, count: int, sections: Mapping[str, Any]) -> str:
    """What the trainings depend on."""
    said = [count, sections, digests(run.recipe.data), content(run.splits.train)]
    return hashlib.blake2b(json.dumps(said, default=str).encode(), digest_size=8).hexdigest()
