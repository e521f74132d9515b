"""What may be said anew when a run goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.recipe.written import parse_overrides

MAY_CHANGE = {
    "training": (
        "iterations", "epochs", "lr", "schedule", "warmup", "clip", "precision", "patience", "evaluate_every",
        "checkpoint_every", "log_every", "devices", "nodes", "accelerator", "strategy",
    ),
    "data": ("workers", "timeout", "cache", "on_error"),
}  # fmt: skip
"""Keys that make no other run of it: how long and how fast it trains on, and on what. The rest is what it is."""
_SCHEDULE = ("iterations", "epochs", "lr", "schedule", "warmup")


def changed(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe of a run with dotted flags laid over it.

    Raises:
        RecipeError: a flag is not valid.
    """
    return Recipe.of(parse_overrides(overrides, recipe.sections), recipe.trust) if overrides else recipe


def require_same(before: Recipe, after: Recipe) -> None:
    """
    Raises:
        RecipeError: the recipes differ in more than what may change.
    """
    for key, (old, new) in differences(before.sections, after.sections).items():
        section, _, name = key.partition(".")
        if section != "loggers" and name not in MAY_CHANGE.get(section, ()):
            raise RecipeError(
                f"{key}: the run has {old!r}, found {new!r}: a run goes on as what it is; what may change is "
                f"{', '.join(f'{part}.{each}' for part, names in MAY_CHANGE.items() for each in names)}"
            )


def differences(before: Mapping[str, Any], after: Mapping[str, Any], where: str = "") -> dict[str, tuple[Any, Any]]:
    """By dotted key, the values that differ (None where there is none)."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= differences(old, new, f"{where}{key}.")
        elif old != new:
            found[f"{where}{key}"] = (old, new)
    return found


def said(before: Recipe, after: Recipe, iteration: int, iterations: int) -> str | None:
    """What a run that goes on does otherwise than before, in a line; None where nothing."""
    found = differences(before.sections, after.sections)
    if not found:
        return None
    text = ", ".join(f"{key} was {old}, is {new}" for key, (old, new) in found.items())
    if any(key.removeprefix("training.") in _SCHEDULE for key in found):
        options = after.training
        text += (
            f"; from iteration {iteration} on, the learning rate is that of the schedule '{options.schedule}' of a run "
            f"of {iterations} iterations"
        )
    return text
