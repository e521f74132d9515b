"""Made-up recipes are taken or refused in one line."""

from __future__ import annotations

import math

import pytest
import yaml

from crosstask.errors import RecipeError, UserError
from crosstask.recipe import Recipe
from crosstask.recipe.written import parse_overrides
from crosstask.strict_yaml import parse_yaml
from crosstask.typed import plain
from tests.fuzz.made_up import TEXT, VALUES, damaged, hypothesis, one_line, some, st

BASE = {
    "data": {"table": "a.csv", "size": [32, 48], "labels": "one", "workers": 0, "train_split": "train", "derive": {}},
    "tasks": {
        "semantic": {"kind": "segmentation", "classes": ["floor", "wall"], "remap": {0: 1}},
        "depth": {"kind": "depth", "loss": "l1"},
        "tags": {"kind": "tags", "classes": ["cat", "sofa"]},
    },
    "network": {"encoder": "small", "encoder_options": {"width": 4}, "dropout": 0.1},
    "objectives": {"supervised": {"weight": 1.0}, "mean_teacher": {"view": {"jitter": 0.5}, "only": ["depth"]}},
    "balancing": {"kind": "fixed", "weights": {"depth": 2.0}},
    "training": {"iterations": 2, "lr": 0.001, "precision": "32", "monitor": "depth/rmse"},
}


@some(60)
@hypothesis.given(damaged(BASE) | damaged(BASE).flatmap(lambda value: damaged(value) if value else st.just(value)))
def test_a_damaged_recipe_is_refused_in_one_line_or_reads_back_to_itself(raw):
    try:
        recipe = Recipe.of(raw)
        recipe.data, recipe.training, recipe.tasks()
    except RecipeError as error:
        one_line(error)
    else:
        assert Recipe.of(parse_yaml(recipe.to_yaml())) == recipe


@pytest.mark.parametrize("name", ["1e400", "1e5", "007", "1.50", "12", "no"])
def test_text_that_looks_like_a_number_stays_as_it_was_typed(name):
    recipe = Recipe.of({
        "data": {"table": "a.csv", "train_split": name}, "tasks": {name: {"kind": "depth"}},
        "balancing": {"kind": "fixed", "weights": {name: 2.0}},
    })  # fmt: skip
    for each in (recipe, Recipe.of(parse_yaml(recipe.to_yaml()))):
        assert list(each.sections["tasks"]) == [name]
        assert each.data.train_split == name
        assert each.sections["balancing"]["weights"] == {name: 2.0}


@some(250)
@hypothesis.given(VALUES)
def test_yaml_reads_back_or_is_refused(value):
    text = yaml.safe_dump(value, allow_unicode=True)
    try:
        found = plain(parse_yaml(text))
    except ValueError as error:
        one_line(error)
    else:
        assert found == parse_yaml(yaml.safe_dump(found, allow_unicode=True))
        if isinstance(value, float):
            assert math.isfinite(value)


@some(250)
@hypothesis.given(st.text(alphabet="ab1.:-{}[]&*<,'\"|>#!?% \n\t0exnt~", max_size=40))
def test_any_text_is_yaml_or_refused(text):
    try:
        parse_yaml(text)
    except ValueError as error:
        one_line(error)


@some(150)
@hypothesis.given(
    st.lists(
        st.tuples(st.sampled_from(["--training.lr", "--tasks", "--objectives", "--a.b.c", "--", "-x"]), TEXT),
        max_size=3,
    )
)
def test_flags_are_laid_over_or_refused(flags):
    try:
        parse_overrides([word for pair in flags for word in pair], {"training": {"lr": 1}, "objectives": {"a": {}}})
    except UserError as error:
        one_line(error)
