"""Which rounds a recipe asks for."""

from __future__ import annotations

from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.rounds.refinement import Refinement
from crosstask.rounds.roles import Roles
from crosstask.rounds.steps import Rounds
from crosstask.rounds.teacher_rounds import TeacherRounds
from crosstask.tasks import Segmentation, Tagging

PLANS: dict[str, type[Rounds]] = {"teachers": TeacherRounds, "activations": Refinement}


def plan(recipe: Recipe) -> type[Rounds]:
    """The rounds of ``refine.by``; where it is null those of activation maps, if there is one task of tags that names
    all classes but one of the one segmentation, else those of teachers."""
    return PLANS[recipe.refine.by or ("activations" if _from_tags(recipe) else "teachers")]


def _from_tags(recipe: Recipe) -> bool:
    tasks = recipe.tasks()
    try:
        Roles.of(tasks)
    except RecipeError:
        kinds = [type(task) for task in tasks.values()]
        # what asks for activation maps in other ways, and is not quite right, is told so
        return bool(recipe.refine.classifier or recipe.refine.masks) and {Segmentation, Tagging} <= set(kinds)
    return not recipe.refine.teachers
