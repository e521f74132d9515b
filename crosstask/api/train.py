"""Training from a script or a notebook."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crosstask.api.model import Model, load
from crosstask.api.tables import file_of
from crosstask.data.table.table import Table
from crosstask.errors import RecipeError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.recipe.written import laid_over, read_recipe

log = logging.getLogger(__name__)


def train(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    table: str | Path | Table | None = None,
    out: str | Path | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    resume: bool = False,
    quiet: bool = False,
    trust: bool = False,
) -> Model:
    """Train a recipe into a run directory and return the network::

        model = crosstask.train("mine.yaml", table="data.csv", out="runs/mine", options={"training.epochs": 5})

    Interrupted (Ctrl-C, a stopped cell), it returns what was trained so far; the same call with ``resume=True``
    continues the run exactly, and one with more iterations trains it for longer.

    Args:
        recipe: a YAML file, the name of a shipped recipe, the content of one as a dict, or a :class:`Recipe`.
        table: the table to train on, in place of the recipe's; a :class:`Table` is written to its path if it is not
            there yet.
        out: the run directory; ``runs/RECIPE`` for a recipe with a name.
        options: whatever else differs from the recipe, by dotted key; they are laid over it in their order.
        resume: continue the run in ``out``. Recipe, table and options are those it was begun with, but for what may
            change (:data:`~crosstask.training.changes.MAY_CHANGE`); ``out/recipe.yaml`` holds all of them.
        quiet: show no progress.
        trust: run code that the recipe names by ``class_path``; refused otherwise.

    Raises:
        RecipeError: something in the recipe or the options is not valid.
        UserError: there is a run in ``out`` already, or none to continue, or the data cannot be used.
        RunError: a loss is not finite, or nothing can be written.
    """
    if out is None:
        if not isinstance(recipe, (str, Path)):
            raise RecipeError("out: give the folder of the run, for example  out='runs/mine'")
        out = Path("runs") / Path(recipe).stem
    changes = [*_changes(options), *_table(table)]
    experiment = Experiment(_recipe(recipe, changes, trust), out, quiet, "yes" if resume else "no")
    outcome = experiment.fit()
    if outcome.status == "interrupted":
        log.warning("interrupted after iteration %d; continue with train(..., resume=True)", outcome.iteration)
    return load(out, trust=trust)


def _recipe(recipe: str | Path | Mapping[str, Any] | Recipe, changes: Sequence[tuple[str, Any]], trust: bool) -> Recipe:
    if isinstance(recipe, (str, Path)):
        raw = read_recipe(recipe)
    else:
        raw = dict(recipe.sections if isinstance(recipe, Recipe) else recipe)
    return Recipe.of(laid_over(raw, changes), trust or (isinstance(recipe, Recipe) and recipe.trust))


def _changes(options: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    options = {} if options is None else options
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        example = {"training.epochs": 5}
        raise RecipeError(f"options: expected values by dotted key, {example} say, found {options!r:.80}")
    return list(options.items())


def _table(table: str | Path | Table | None) -> list[tuple[str, Any]]:
    if table is None:
        return []
    return [("data.table", str(file_of(table))), ("data.rooms", None)]
