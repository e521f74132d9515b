"""The recipes whose objectives are aligned: a trained run's, with the objectives of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from crosstask.entries import SUPERVISED, parse_methods
from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge, parse_overrides


def aligned_recipes(recipe: Recipe, entries: str, overrides: Sequence[str] = ()) -> dict[str, Recipe]:
    """A recipe per method, all with one section ``data``, which also loads the hidden labels.

    Args:
        recipe: that of the trained run.
        entries: methods separated by commas, see :mod:`crosstask.entries`.
        overrides: dotted flags.

    Raises:
        RecipeError: an entry is nothing that is known, is ``single``, or gives a recipe that is not valid.
    """
    base = parse_overrides(overrides, recipe.sections)
    methods = {name: method for name, method in parse_methods(entries, base).items() if name != SUPERVISED}
    if not methods:
        raise RecipeError("--objectives: supervised learns from labels that exist: name another to be aligned")
    if any(method.single for method in methods.values()):
        raise RecipeError("--objectives: 'single' is one network per task, which cannot be aligned: leave it out")
    own = {name: reduce(merge, each.patches, base) for name, each in methods.items()}
    return with_hidden(recipe, own)


def with_hidden(trained: Recipe, methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Recipe]:
    """Recipes with the objectives of each method, that load the hidden labels and whatever data one of them asks for.

    Args:
        trained: the recipe of the trained run; code that it may run, the others may run.
        methods: sections by method.

    Raises:
        RecipeError: a recipe is not valid.
    """
    data: dict[str, Any] = {}
    for own in methods.values():
        data = merge(data, own["data"])
    data["hidden"] = True
    return {
        name: Recipe.of({**trained.sections, "data": data, "objectives": own["objectives"]}, trained.trust)
        for name, own in methods.items()
    }
