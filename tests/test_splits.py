from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crosstask.data.options import DataOptions, RoomsOptions
from crosstask.data.table.table import Table
from crosstask.recipe import Recipe
from crosstask.recipe.shipped import shipped_recipes
from crosstask.splits import scale_gap


@pytest.fixture
def table(tmp_path: Path) -> Table:
    Image.new("RGB", (128, 96)).save(tmp_path / "1.png")
    return Table(tmp_path / "table.csv", ("id", "image"), [{"id": "1", "image": "1.png"}])


@pytest.mark.parametrize("size", [(96, 128), (64, 96), (112, 150)])
def test_images_of_about_the_size_of_training_raise_no_word(table: Table, size: tuple[int, int]) -> None:
    assert scale_gap(table, DataOptions(table="table.csv", size=size, evaluation_size="own")) is None


@pytest.mark.parametrize(("size", "times"), [((48, 64), "2"), ((192, 256), "0.5")])
def test_another_scale_is_told_with_the_remedy(table: Table, size: tuple[int, int], times: str) -> None:
    options = DataOptions(table="table.csv", size=size, evaluation_size="own")
    said = scale_gap(table, options)
    assert said is not None
    for word in (f"{size[0]}x{size[1]}", "96x128", f"{times} times", f"[{size[0]}, {size[1]}]"):
        assert word in said
    assert scale_gap(table, replace(options, evaluation_size=None)) is None


@pytest.mark.parametrize(("shown", "times"), [((96, 128), "0.67"), ((288, 384), "2")])
def test_a_size_given_for_measuring_is_told_when_training_never_shows_it(
    table: Table, shown: tuple[int, int], times: str
) -> None:
    options = DataOptions(table="table.csv", size=(144, 192), evaluation_size=shown)
    said = scale_gap(table, options)
    assert said is not None
    for word in ("data.evaluation_size, " + f"{shown[0]}x{shown[1]}", f"{times} times", "[144, 192]"):
        assert word in said
    assert scale_gap(table, replace(options, evaluation_size=(192, 256))) is None  # 1.33, within the zooms


@pytest.mark.parametrize("recipe", shipped_recipes())
def test_shipped_recipes_measure_at_a_scale_of_training(recipe: str, table: Table) -> None:
    options = Recipe.load(recipe).data
    assert options.evaluation_size == "own" or scale_gap(table, options) is None
    assert options.evaluation_size != options.size, "null says it already, and follows a size that is typed"


def test_zooms_that_reach_the_scale_of_the_images_are_enough(table: Table) -> None:
    assert (
        scale_gap(table, DataOptions(table="table.csv", size=(48, 64), zoom=(1.0, 2.0), evaluation_size="own")) is None
    )


def test_rooms_and_images_that_cannot_be_read_are_left_to_others(table: Table) -> None:
    assert scale_gap(table, DataOptions(rooms=RoomsOptions(), size=(48, 64), evaluation_size="own")) is None
    table.resolve(0, "image").unlink()
    assert scale_gap(table, DataOptions(table="table.csv", size=(48, 64), evaluation_size="own")) is None
