"""Methods, labels and seeds as they are typed."""

from __future__ import annotations

import pytest

from crosstask.entries import parse_labels, parse_methods, parse_seeds
from crosstask.errors import RecipeError

RECIPE = {"objectives": {"supervised": {}, "pairwise": {"weight": 2.0}, "mine": {"class_path": "a.B"}}}


def test_supervised_is_always_there_and_first():
    methods = parse_methods("pairwise,supervised", RECIPE)
    assert list(methods) == ["supervised", "pairwise"]
    assert methods["pairwise"].patches == [{"objectives": ["supervised", "pairwise"]}]


def test_joined_entries_and_those_of_the_recipe():
    methods = parse_methods("region_contrast+mine,single,supervised+pairwise", RECIPE)
    assert list(methods) == ["supervised", "region_contrast+mine", "single", "pairwise"]
    assert methods["region_contrast+mine"].patches == [{"objectives": ["supervised", "region_contrast", "mine"]}]
    assert [name for name, method in methods.items() if method.single] == ["single"]


def test_patches_are_files_or_shipped_recipes(tmp_path):
    patch = tmp_path / "strong.yaml"
    patch.write_text("data: {colour: 1.0}")
    methods = parse_methods(f"{patch},demo,pairwise+{patch}+pcgrad", RECIPE)
    assert methods["strong"].patches == [{"data": {"colour": 1.0}}]
    assert methods["demo"].patches[0]["network"] == {"encoder": "tf_efficientnet_lite0", "pretrained": True}
    objectives, strong, balancing = methods["pairwise+strong+pcgrad"].patches
    assert objectives == {"objectives": ["supervised", "pairwise"]}
    assert strong == {"data": {"colour": 1.0}}
    assert "balancing" in balancing


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pairwisse", "did you mean 'pairwise'?"),
        ("pairwise+nothing", "'nothing' is no objective"),
        ("gone.yaml", "there is no file gone.yaml"),
        (" , ", "nothing given"),
    ],
)
def test_what_is_not_known_is_named(text, said):
    with pytest.raises(RecipeError, match="--objectives") as error:
        parse_methods(text, RECIPE)
    assert said in str(error.value)


def test_two_entries_of_one_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(f"data: {{colour: 0.{len(folder)}, labels: {folder}}}")
    with pytest.raises(RecipeError, match="two entries are named 'x'"):
        parse_methods(f"{tmp_path}/a/x.yaml,{tmp_path}/b/x.yaml", RECIPE)


def test_labels_with_commas_in_fractions():
    typed = "one,fraction:0.05,0.1,1e-2,full,random,fraction:1,one"
    expected = ["one", "fraction:0.05", "fraction:0.1", "fraction:1e-2", "full", "random", "fraction:1"]
    assert parse_labels(typed) == expected


def test_seeds():
    assert parse_seeds("0,1, 2,1") == [0, 1, 2]
    with pytest.raises(RecipeError, match="found '-1'"):
        parse_seeds("0,-1")
