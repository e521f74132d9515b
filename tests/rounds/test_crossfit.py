"""Folds by image, and nothing of an image's labels in what is said of it."""

import json
from pathlib import Path

import pytest

from crosstask.cli import main
from crosstask.data.options import DataOptions
from crosstask.data.table.table import Table, read_table
from crosstask.rounds.crossfit import folds, joined, without_fold
from tests.tiny import COLUMNS, write_recipe, write_tiny

DATA = DataOptions("t.csv")


def made(count: int) -> Table:
    rows = [{"image": f"{index // 2}.png", "id": str(index), "a": "1", "b": ""} for index in range(count)]
    return Table(Path("/x/t.csv"), ("image", "id", "a", "b"), rows)


def test_rows_of_one_image_are_in_one_fold_and_folds_are_even():
    fold = folds(made(20), DATA, ["a", "b"], 3)
    assert all(fold[str(index)] == fold[str(index + 1)] for index in range(0, 20, 2))
    sizes = [list(fold.values()).count(number) for number in range(3)]
    assert max(sizes) - min(sizes) <= 2


def test_a_fold_is_without_any_label_and_others_keep_theirs():
    table = made(8)
    fold = folds(table, DATA, ["a", "b"], 2)
    for row in without_fold(table, ["a", "b"], fold, 1).rows:
        assert row["a"] == ("" if fold[row["id"]] == 1 else "1")


def test_each_row_gets_what_its_own_fold_says_and_keeps_its_label():
    table = made(8)
    fold = folds(table, DATA, ["a", "b"], 2)
    said = [[{**row, "a": "9", "b": f"from {n}", "b.source": f"fold_{n}"} for row in table.rows] for n in (0, 1)]
    parts = [Table(table.path, (*table.columns, "b.source"), rows) for rows in said]
    for row in joined(table, parts, fold, ["a", "b"]).rows:
        assert (row["a"], row["b"], row["b.source"]) == ("1", f"from {fold[row['id']]}", f"fold_{fold[row['id']]}")


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crossfit")
    recipe = write_recipe(folder, write_tiny(folder, count=24))
    typed = ["refine", str(recipe), "--out", str(folder / "out"), "--quiet", "--training.iterations", "1"]
    typed += ["--rounds", "1", "--data.validation_fraction", "0"]
    teachers = {name: ["round", "labels"] for name in COLUMNS}
    assert main([*typed, "--refine.teachers", json.dumps(teachers)]) == 0
    return folder / "out"


def test_networks_of_a_fold_have_seen_no_label_of_its_images(out):
    whole, table = read_table(out / "table.csv"), read_table(out / "crossfit" / "table.csv")
    for number in (0, 1):
        trained = read_table(out / "crossfit" / f"fold_{number}" / "labels.csv")
        seen = {row["id"] for row in trained.rows if any(row[name] for name in COLUMNS)}
        spoken = {row["id"] for row in table.rows for name in COLUMNS if row[f"{name}.source"] == f"fold_{number}"}
        assert spoken
        assert not seen & spoken
    train = {row["id"] for row in whole.rows if row["split"] == "train"}
    assert {row["id"] for row in table.rows for name in COLUMNS if row[f"{name}.source"]} <= train
    for given, row in zip(whole.rows, table.rows, strict=True):
        assert all(bool(given[name]) == (bool(row[name]) and not row[f"{name}.source"]) for name in COLUMNS)


def test_what_reads_labels_teaches_and_its_steps_are_counted(out):
    record = json.loads((out / "rounds.json").read_text())
    assert record["steps"] == {"round_0": 1, "crossfit/fold_0": 1, "crossfit/fold_1": 1, "reader": 1, "round_1": 1}
    sources = {row["normals.source"] for row in read_table(out / "labels_1" / "table.csv").rows}
    assert sources == {"", "round_0+reader"}
