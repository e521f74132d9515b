"""Every patch that ships lies over the recipes it is made for: they resolve, and their learners can be built."""

from __future__ import annotations

import pytest
import torch

from crosstask.cli import main
from crosstask.entries import parse_methods
from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.recipe.shipped import SHIPPED
from crosstask.recipe.written import merge, read_recipe

PATCHES = sorted((SHIPPED / "patches").glob("*.yaml"))


BASES = {"coupling_as_published": ("coupling_affect", "coupling_rooms")}
"""The recipes of patches that are not made for any."""


@pytest.mark.parametrize(
    ("patch", "base"),
    [pytest.param(path, base, id=f"{path.stem}-{base}")
     for path in PATCHES for base in BASES.get(path.stem, ("demo", "nyuv2_one"))],
)  # fmt: skip
def test_patches_lie_over_recipes(patch, base):
    recipe = Recipe.of(merge(read_recipe(base), read_recipe(patch)))
    if recipe.sections["balancing"]["kind"] == "conflict":
        pytest.importorskip("torchjd", reason="needs the extra [balance]")
    tasks = recipe.tasks()
    with torch.device("cpu" if patch.stem in BASES else "meta"):  # tables of relatedness are looked at
        learner = recipe.learner(tasks, recipe.network(tasks, trained=True))
    assert "supervised" in learner.objectives
    assert recipe.sections != Recipe.load(base).sections


def test_patches_are_joined_to_the_name_of_a_recipe():
    found = Recipe.load("demo+derive+region_contrast_as_released", ["--objectives.region_contrast.weight", "0.5"])
    assert found.sections["data"]["derive"] == {"normals": "depth"}
    assert found.sections["objectives"]["region_contrast"]["bank"] == 1000
    assert found.sections["objectives"]["region_contrast"]["weight"] == 0.5
    with pytest.raises(RecipeError, match="there is no recipe 'deriv'; did you mean 'derive'"):
        Recipe.load("demo+deriv")


def test_a_file_may_have_a_plus_in_its_name(tmp_path):
    path = tmp_path / "a+b.yaml"
    path.write_text((SHIPPED / "demo.yaml").read_text())
    assert Recipe.load(path) == Recipe.load("demo")


def test_patches_can_be_listed_and_compared(capsys):
    assert main(["recipes"]) == 0
    assert "region_contrast_as_published" in capsys.readouterr().out
    methods = parse_methods("region_contrast_as_published", {"objectives": {"supervised": {}}})
    (patch,) = methods["region_contrast_as_published"].patches
    assert patch["objectives"]["region_contrast"]["enlarge"] == 8


def test_flags_are_laid_over_a_recipe_in_their_order(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("tasks: {depth: {kind: depth}, saliency: {kind: saliency}}\nobjectives: supervised\n")
    weight = ["--objectives.pairwise.weight", "0.3"]
    for flags in (["--objectives", "supervised,pairwise", *weight], weight):
        objectives = Recipe.load(path, flags).sections["objectives"]
        assert list(objectives) == ["supervised", "pairwise"]
        assert objectives["pairwise"]["weight"] == 0.3
    assert list(Recipe.load(path, [*weight, "--objectives", "supervised"]).sections["objectives"]) == ["supervised"]
    path.write_text("tasks: {depth: {kind: depth}}\nobjectives:\n")
    assert list(Recipe.load(path).sections["objectives"]) == ["supervised"]


def test_another_kind_brings_its_own_options():
    base = {"balancing": {"kind": "fixed", "weights": {"normals": 4.0}}}
    assert merge(base, {"balancing": {"kind": "dwa", "period": 2}}) == {"balancing": {"kind": "dwa", "period": 2}}
    assert merge(base, {"balancing": {"kind": "fixed"}}) == base
    assert merge(base, {"balancing": {"weights": {"depth": 2.0}}})["balancing"] == {
        "kind": "fixed",
        "weights": {"normals": 4.0, "depth": 2.0},
    }
