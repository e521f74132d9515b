"""Two data sets with different splits and tasks become one: each task is validated, no other is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from crosstask.cli import main
from crosstask.data.options import DataOptions
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.evaluation.results import Results
from crosstask.recipe import Recipe
from crosstask.splits import load_splits, unvalidated
from tests.tiny import write_tiny

TASKS = (
    "tasks:\n  semantic: {kind: segmentation, classes: [floor, wall, box]}\n  depth: {kind: depth, typical: 2}\n"
    "network: {encoder_options: {width: 4}}\n"
    "training: {iterations: 6, evaluate_every: 3, batch_size: 2, accelerator: cpu}\n"
)


def _only(table: Table, task: str, rows: list[dict[str, str]]) -> Table:
    columns = ("id", "image", "split", task)
    return replace(table, columns=columns, rows=[{column: row[column] for column in columns} for row in rows])


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    """Masks with a validation split, and depth with a test split at most."""
    masks = read_table(write_tiny(tmp_path / "masks", 8))
    rows = [row | {"split": "val" if index in (1, 5) else row["split"]} for index, row in enumerate(masks.rows)]
    write_table(_only(masks, "semantic", rows), tmp_path / "masks.csv")
    depth = read_table(write_tiny(tmp_path / "depth", 8))
    rows = [row | {"split": "train"} for row in depth.rows]
    write_table(_only(depth, "depth", rows), tmp_path / "depth.csv")
    return [str(tmp_path / "masks.csv"), str(tmp_path / "depth.csv")]


def recipe(tmp_path: Path, tables: list[str], data: str = "") -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"data: {{table: {tables}, size: [32, 48], workers: 0, {data}}}\n{TASKS}")
    return path


def test_what_lacks_validation_is_held_out_of_its_own_rows(tables, tmp_path):
    tasks = Recipe.load(recipe(tmp_path, tables)).tasks()
    splits = load_splits(DataOptions(table=tables, validation_fraction=0.25), tasks)
    assert splits.validation.labelled().sum(0).tolist() == [2, 2]  # its own split; a quarter of 8 rows
    assert splits.train.labelled().sum(0).tolist() == [4, 6]  # no mask was taken from training
    assert not set(splits.validation.ids) & set(splits.train.ids)
    assert unvalidated(splits, tasks) == []
    sample = splits.validation[3]
    assert sample.targets["depth"].known().any()
    assert not sample.targets["semantic"].known().any()


def test_a_rare_task_is_held_out_too_where_there_is_no_validation_split(tmp_path):
    table = read_table(write_tiny(tmp_path, 24))
    rows = [row | {"split": "train"} for row in table.rows]
    rows = [row if index in (3, 9) else row | {"depth": ""} for index, row in enumerate(rows)]
    write_table(replace(table, rows=rows), tmp_path / "rare.csv")
    tasks = Recipe.load(recipe(tmp_path, [str(tmp_path / "rare.csv")])).tasks()
    for seed in range(4):
        splits = load_splits(DataOptions(table=str(tmp_path / "rare.csv"), labels_seed=seed), tasks)
        assert splits.validation.labelled().any(0).all()
        assert splits.train.labelled().any(0).all()
        assert len(splits.train) + len(splits.validation) == 24


def test_joined_data_keeps_labels_apart(tables, tmp_path):
    tasks = Recipe.load(recipe(tmp_path, tables)).tasks()
    whole = load_splits(DataOptions(table=tables), tasks).validation
    mask = torch.zeros(len(whole), 2, dtype=torch.bool)
    mask[0, 0] = True
    fewer = whole.keep(mask)
    assert torch.equal(fewer.labelled(), mask)
    assert fewer.ids == whole.ids
    assert len(fewer.calibrated()) == len(whole)


def test_training_validates_each_task_and_says_which_it_never_does(tables, tmp_path, caplog):
    assert main(["train", str(recipe(tmp_path, tables)), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    assert "never validated" not in caplog.text
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "NaN" not in log
    flags = ["--data.validation_fraction", "0", "--out", str(tmp_path / "without"), "--quiet"]
    assert main(["train", str(recipe(tmp_path, tables)), *flags]) == 0
    assert "never validated: depth, without a label" in caplog.text


def test_eval_measures_what_a_table_has(tables, tmp_path, capsys):
    assert main(["train", str(recipe(tmp_path, tables)), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    assert main(["eval", str(tmp_path / "run"), "--table", tables[1], "--split", "train"]) == 0
    assert "no label of semantic in this data: not measured" in capsys.readouterr().err
    found = Results.load(tmp_path / "run" / f"results_train_{Path(tables[1]).stem}.json")
    assert found.tasks["semantic"].images == 0
    assert found.tasks["depth"].images == 8
    assert found.unlabelled == 0
    table = read_table(tables[1])
    (tmp_path / "none.csv").write_text("id,image\n" + f"a,{table.resolve(0, 'image')}\n")
    assert main(["eval", str(tmp_path / "run"), "--table", str(tmp_path / "none.csv"), "--split", ""]) == 2
    assert "nothing to measure" in capsys.readouterr().err


def test_rows_without_any_label_are_counted_apart(tables, tmp_path):
    assert main(["train", str(recipe(tmp_path, tables)), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    table = read_table(tables[1])
    rows = [row | {"depth": "" if index < 3 else row["depth"]} for index, row in enumerate(table.rows)]
    write_table(replace(table, rows=rows))
    assert main(["eval", str(tmp_path / "run"), "--table", tables[1], "--split", "train", "--quiet"]) == 0
    found = Results.load(tmp_path / "run" / f"results_train_{Path(tables[1]).stem}.json")
    assert (found.images, found.unlabelled) == (8, 3)
    assert "3 of them without any label" in found.markdown()
