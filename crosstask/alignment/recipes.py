"""The recipes whose objectives are aligned: a trained run's, with the objectives of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from crosstask.entries import SUPERVISED, parse_methods
from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge, parse_overrides

READ = (("training", "batch_size"), ("training", "lr"), ("training", "seed"))
"""What a flag may change beside data, tasks and objectives."""


def aligned_recipes(recipe: Recipe, entries: str, overrides: Sequence[str] = ()) -> dict[str, Recipe]:
    """A recipe per method, all with one section ``data``, which also loads the hidden labels.

    Args:
        recipe: that of the trained run.
        entries: methods separated by commas, see :mod:`crosstask.entries`.
        overrides: dotted flags.

    Raises:
        RecipeError: an entry is nothing that is known, is ``single``, or gives a recipe that is not valid, or a flag is
            about something that alignment does not depend on.
    """
    base = Recipe.of(parse_overrides(overrides, recipe.sections), recipe.trust).sections
    _require_read(recipe.sections, base)
    methods = {name: method for name, method in parse_methods(entries, base).items() if name != SUPERVISED}
    if not methods:
        raise RecipeError("--objectives: supervised learns from labels that exist: name another to be aligned")
    if any(method.single for method in methods.values()):
        raise RecipeError("--objectives: 'single' is one network per task, which cannot be aligned: leave it out")
    own = {name: reduce(merge, each.patches, base) for name, each in methods.items()}
    return with_hidden(Recipe.of(base, recipe.trust), own)


def _require_read(trained: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Flags change only what is read here: the network stays as it is, and nothing is balanced or evaluated."""
    for section, options in base.items():
        for key in options if section not in ("data", "tasks", "objectives") else ():
            if (section, key) not in READ and options[key] != trained.get(section, {}).get(key):
                read = ", ".join("training." + name for _, name in READ)
                raise RecipeError(
                    f"{section}.{key}: a trained network is aligned as it is: leave it out (data, tasks, objectives, "
                    f"{read} can be given)"
                )


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
