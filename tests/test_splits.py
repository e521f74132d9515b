from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crosstask.data.options import DataOptions, RoomsOptions
from crosstask.data.table.table import Table
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


def test_zooms_that_reach_the_scale_of_the_images_are_enough(table: Table) -> None:
    assert (
        scale_gap(table, DataOptions(table="table.csv", size=(48, 64), zoom=(1.0, 2.0), evaluation_size="own")) is None
    )


def test_rooms_and_images_that_cannot_be_read_are_left_to_others(table: Table) -> None:
    assert scale_gap(table, DataOptions(rooms=RoomsOptions(), size=(48, 64), evaluation_size="own")) is None
    table.resolve(0, "image").unlink()
    assert scale_gap(table, DataOptions(table="table.csv", size=(48, 64), evaluation_size="own")) is None
