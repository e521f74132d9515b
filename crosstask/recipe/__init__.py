"""One YAML file that says everything about a run: data, tasks, network, objectives, balancing, training."""

from crosstask.recipe.recipe import Recipe

__all__ = ["Recipe"]
