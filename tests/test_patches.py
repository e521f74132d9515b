"""Every patch that ships lies over the recipes it is made for: they resolve, and their learners can be built."""

from __future__ import annotations

import pytest

from crosstask.recipe import SHIPPED, Recipe, merge, read_recipe

PATCHES = sorted((SHIPPED / "patches").glob("*.yaml"))


@pytest.mark.parametrize("base", ["demo", "nyuv2_one"])
@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_patches_lie_over_recipes(patch, base):
    recipe = Recipe.of(merge(read_recipe(base), read_recipe(patch)))
    if recipe.sections["balancing"]["kind"] == "conflict":
        pytest.importorskip("torchjd", reason="needs the extra [balance]")
    tasks = recipe.tasks()
    learner = recipe.learner(tasks, recipe.network(tasks))
    assert "supervised" in learner.objectives
    assert recipe.sections != Recipe.load(base).sections
