"""What objectives refuse is said with the key it has in the recipe, whatever the objective is called there."""

from __future__ import annotations

import pytest

from crosstask.errors import RecipeError
from crosstask.recipe import Recipe

TASKS = {"semantic": {"kind": "segmentation", "classes": 3}, "depth": {"kind": "depth"}}


def learner_of(raw):
    recipe = Recipe.of(raw)
    tasks = recipe.tasks()
    return recipe.learner(tasks, recipe.network(tasks))


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        (
            "mine",
            {"kind": "supervised", "only": ["dept"]},
            "objectives.mine.only: there is no task 'dept'; did you mean",
        ),
        ("supervised", {"only": ["dept"]}, "objectives.supervised.only: there is no task 'dept'"),
        ("made", {"kind": "made_labels", "only": [-1, -1]}, "objectives.made.only: there is no task '-1'; valid:"),
        ("made_labels", {"own_loss": ["x"]}, "objectives.made_labels.own_loss: there is no task 'x'"),
        ("s", {"kind": "spaces", "representation": {"maps": 0}}, "objectives.s.representation.maps: found 0: give at"),
        ("s", {"kind": "spaces", "representation": {"width": -1}}, "objectives.s.representation.width: found -1"),
    ],
)
def test_the_key_is_named(name, options, line):
    raw = {"tasks": TASKS, "objectives": {name: options}, "network": {"encoder": "small"}}
    with pytest.raises(RecipeError) as caught:
        learner_of(raw)
    assert str(caught.value).startswith(line)
