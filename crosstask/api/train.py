"""Training from a script or a notebook."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosstask.api.model import Model, load
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import RecipeError, UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge, read_recipe

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
    continues the run exactly.

    Args:
        recipe: a YAML file, the name of a shipped recipe, the content of one as a dict, or a :class:`Recipe`.
        table: the table to train on, in place of the recipe's; a :class:`Table` is written to its path if it is not
            there yet.
        out: the run directory; ``runs/RECIPE`` for a recipe with a name.
        options: whatever else differs from the recipe, by dotted key.
        resume: continue the run in ``out``, with the recipe and the options it was begun with.
        quiet: show no progress.
        trust: run code that the recipe names by ``class_path``; refused otherwise.

    Raises:
        RecipeError: something in the recipe or the options is not valid.
        UserError: there is a run in ``out`` already, or the data cannot be used.
        RunError: a loss is not finite, or nothing can be written.
    """
    if out is None:
        if not isinstance(recipe, (str, Path)):
            raise RecipeError("out: give the folder of the run, for example  out='runs/mine'")
        out = Path("runs") / Path(recipe).stem
    if resume:
        experiment = Experiment.resume(out, quiet, trust)
    else:
        experiment = Experiment(_recipe(recipe, _nested(options or {}, table), trust), out, quiet)
    outcome = experiment.fit()
    if outcome.status == "interrupted":
        log.warning("interrupted after iteration %d; continue with train(..., resume=True)", outcome.iteration)
    return load(out, trust=trust)


def _recipe(recipe: str | Path | Mapping[str, Any] | Recipe, changes: dict[str, Any], trust: bool) -> Recipe:
    if isinstance(recipe, (str, Path)):
        raw = read_recipe(recipe)
    else:
        raw = dict(recipe.sections if isinstance(recipe, Recipe) else recipe)
    return Recipe.of(merge(raw, changes), trust or (isinstance(recipe, Recipe) and recipe.trust))


def _nested(options: Mapping[str, Any], table: str | Path | Table | None) -> dict[str, Any]:
    """Dotted keys as sections; the table among them."""
    changes: dict[str, Any] = {}
    for key, value in options.items():
        *above, last = key.split(".")
        place = changes
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    if table is not None:
        path = _file_of(table) if isinstance(table, Table) else Path(table)
        changes.setdefault("data", {}).update(table=str(path), rooms=None)
    return changes


def _file_of(table: Table) -> Path:
    if not table.path.exists():
        table.path.parent.mkdir(parents=True, exist_ok=True)
        return write_table(table).path
    if read_table(table.path) != table:
        raise UserError(f"{table.path}: holds other rows than the table given: write it first, with write_table")
    return table.path
