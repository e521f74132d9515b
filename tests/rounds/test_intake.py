from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crosstask.data.options import DataOptions
from crosstask.data.table.table import Table, read_table
from crosstask.errors import DataError
from crosstask.recipe import Recipe
from crosstask.rounds.intake import take_in
from crosstask.rounds.roles import Roles
from crosstask.tasks.cells import typed
from tests.rounds.made import write_recipe, write_squares


@pytest.fixture
def given(tmp_path) -> Table:
    return read_table(write_squares(tmp_path))


def roles(folder) -> Roles:
    return Roles.of(Recipe.load(write_recipe(folder, folder / "squares.csv")).tasks())


def intake(table: Table, saliency="saliency", masks=None):
    return take_in(table, DataOptions(table=str(table.path)), roles(table.folder), saliency, masks)


def edited(table: Table, **cells: dict[int, str]) -> Table:
    rows = [dict(row) for row in table.rows]
    for column, changes in cells.items():
        for index, cell in changes.items():
            rows[index][column] = cell
    return replace(table, rows=rows)


def test_a_table_without_faults_stays_as_it_is(given):
    found = intake(given)
    assert found.table == given
    assert (found.notes, found.summary(), found.masks) == ([], [], None)


def test_masks_of_the_task_itself_are_hidden_from_training_rows_alone(given):
    found = intake(given, masks="semantic")
    assert found.masks == "semantic.hidden"
    for before, after in zip(given.rows, found.table.rows, strict=True):
        training = before["split"] == "train"
        assert after["semantic"] == ("" if training else before["semantic"])
        assert after["semantic.hidden"] == (before["semantic"] if training else "")


def test_a_table_without_the_column_of_the_masks_to_be_learned_gets_one(given):
    table = replace(given, columns=tuple(name for name in given.columns if name != "semantic"))
    table = replace(table, rows=[{name: row[name] for name in table.columns} for row in table.rows])
    assert all(row["semantic"] == "" for row in intake(table).table.rows)


def test_what_is_wrong_is_noted_by_row_and_the_rest_is_used(given):
    (given.folder / "broken.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(given.folder / "small.png")
    table = edited(
        given,
        tags={0: "red;unicorn", 1: "unicorn", 2: "", 3: "?red;-", 7: "unicorn"},
        saliency={0: "", 1: "nowhere.png", 2: "broken.png", 3: "small.png"},
        image={4: "nowhere.png"},
    )
    found = intake(table)
    assert found.table.ids == ["000", "001", "002", "003", "005", "006", "007"]
    assert [row["tags"] for row in found.table.rows] == ["red", "", "", "?red;-", "red;blue", "red", ""]
    assert [bool(row["saliency"]) for row in found.table.rows] == [False, False, False, False, True, True, True]
    notes = {(note.row, note.column): note.text for note in found.notes}
    assert notes.keys() == {
        ("000", "tags"), ("001", "tags"), ("002", "tags"), ("004", "image"), ("007", "tags"), ("000", "saliency"),
        ("001", "saliency"), ("002", "saliency"), ("003", "saliency"),
    }  # fmt: skip
    assert notes["000", "tags"] == "no class: unicorn; used: red"
    assert "as if it had no tags" in notes["001", "tags"]
    assert "map and image are 8x8 and 32x48" in notes["003", "saliency"]
    assert "tags: 3 rows name unknown tags (000, 001, 007)" in found.summary()
    assert found.csv().splitlines()[1] == "000,tags,no class: unicorn; used: red"
    assert len(found.csv().splitlines()) == 10


@pytest.mark.parametrize("cell", ["1;0", "0.7;0.2", typed([1, 0]), typed({"red": 1, "blue": None}), "red"])
def test_cells_that_training_reads_stay_as_they_are(given, cell):
    found = intake(edited(given, tags={0: cell, 7: cell}))
    assert [found.table.rows[index]["tags"] for index in (0, 7)] == [cell, cell]
    assert not found.notes


def test_values_of_tags_are_never_read_as_their_positions(given):
    found = intake(edited(given, tags={0: "1;-3"}))
    assert found.table.rows[0]["tags"] == ""
    assert "no class: 1, -3" in found.notes[0].text


def test_without_splits_all_rows_are_training_rows(given):
    table = edited(given, split=dict.fromkeys(range(8), ""), tags={7: "unicorn"})
    assert [note.row for note in intake(table).notes] == ["007"]


def test_a_missing_column_is_an_error(given):
    for options in ({"saliency": "salience"}, {"masks": "salience"}):
        with pytest.raises(DataError, match=r"has no column 'salience': did you mean 'saliency'"):
            intake(given, **options)
