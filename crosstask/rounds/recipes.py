"""The recipes of the runs of a refinement: ordinary recipes, made of the one it was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, nearest
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge
from crosstask.rounds.roles import Roles


def classifier_recipe(recipe: Recipe, roles: Roles, table: Path) -> Recipe:
    """The classifier of stage 0: the same network, which learns the tags alone.

    Raises:
        RecipeError: ``refine.classifier_recipe`` does not fit.
    """
    sections = _ordinary(recipe, table, [roles.tags.name], start=None)
    sections = merge({**sections, "objectives": {"supervised": {}}}, recipe.refine.classifier_recipe)
    try:
        return Recipe.of(sections, recipe.trust)
    except RecipeError as error:
        raise RecipeError(f"refine.classifier_recipe: {error}") from error


def round_recipe(recipe: Recipe, roles: Roles, table: Path, start: Path) -> Recipe:
    """A round on the pseudo-labels of ``table``, from the weights of the run ``start``.

    Raises:
        RecipeError: ``refine.tasks`` names an unknown task or leaves the segmentation out.
    """
    names = list(recipe.sections["tasks"])
    chosen = recipe.refine.tasks or names
    for name in chosen:
        if name not in names:
            raise RecipeError(f"refine.tasks: there is no task {name!r}; {nearest(name, names)}")
    if roles.segmentation.name not in chosen:
        raise RecipeError(f"refine.tasks: {', '.join(chosen)} without {roles.segmentation.name}: name it too")
    if recipe.refine.rounds and roles.tags.name not in chosen:
        raise RecipeError(
            f"refine.tasks: without {roles.tags.name} nothing can be labelled anew: add it, or set refine.rounds to 0"
        )
    return Recipe.of(_ordinary(recipe, table, chosen, start), recipe.trust)


def given_recipe(recipe: Recipe, table: Path) -> Recipe:
    """The run that the labels that were given teach: the recipe itself, on ``table``.

    Raises:
        RecipeError: something in the recipe does not fit.
    """
    return Recipe.of(_all_labels(recipe, table), recipe.trust)


def student_recipe(recipe: Recipe, table: Path, start: Path | None) -> Recipe:
    """A run on the labels of ``table``, with what ``refine.student`` says laid over it.

    Raises:
        RecipeError: ``refine.student`` does not fit.
    """
    sections = _all_labels(recipe, table)
    if start is not None:
        sections["training"]["start_from"] = str(start)
    return Recipe.of(merge(sections, recipe.refine.student), recipe.trust)


def reader_recipe(recipe: Recipe, table: Path) -> Recipe:
    """A run that learns to read labels beside predicting without: targets are given labels, inputs also made ones."""
    sections = _all_labels(recipe, table)
    sections["objectives"] = {"supervised": {"made": False}, "read_labels": {}}
    return Recipe.of(sections, recipe.trust)


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The same recipe with another seed of its training."""
    sections = recipe.sections
    return Recipe.of({**sections, "training": {**sections["training"], "seed": seed}}, recipe.trust)


def _all_labels(recipe: Recipe, table: Path) -> dict[str, Any]:
    """The recipe without rounds, on a table in which the protocol has dropped what it drops."""
    sections = {name: dict(section) for name, section in recipe.sections.items() if name != "refine"}
    sections["data"] |= {"table": str(table), "labels": "full"}
    return sections


def _ordinary(recipe: Recipe, table: Path, tasks: Sequence[str], start: Path | None) -> dict[str, Any]:
    sections = _all_labels(recipe, table)
    sections["tasks"] = {name: options for name, options in sections["tasks"].items() if name in tasks}
    sections["training"]["start_from"] = None if start is None else str(start)
    monitor = sections["training"]["monitor"]
    if monitor is not None and monitor.split("/")[0] not in tasks:
        sections["training"]["monitor"] = None
    return sections
