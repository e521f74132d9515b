"""One YAML file that says everything about a run: data, tasks, network, objectives, balancing, training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosstask.recipe.recipe import Recipe

__all__ = ["Recipe"]


def __getattr__(name: str) -> Any:
    """``Recipe`` knows every task and objective and is imported when it is used: what is written is read without."""
    if name != "Recipe":
        raise AttributeError(f"module 'crosstask.recipe' has no attribute {name!r}")
    from crosstask.recipe.recipe import Recipe

    return Recipe
