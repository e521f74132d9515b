"""Own data in the loop, as a person goes round it: train, label more, merge, go on from the run, compare."""

from __future__ import annotations

import json
import shutil

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table, write_table
from tests.tiny import write_recipe, write_tiny


def _recipe(folder, name, table, classes):
    path = write_recipe(folder, table)
    text = path.read_text().replace("labels: one", "labels: full").replace("[floor, wall, box]", classes)
    path = path.rename(folder / f"{name}.yaml")
    path.write_text(text)
    return path


def test_a_grown_table_goes_on_from_the_run_and_is_compared_on_the_same_images(tmp_path, capsys):
    every = read_table(write_tiny(tmp_path, 12))
    test = [row for row in every.rows if row["split"] == "test"]
    train = [row for row in every.rows if row["split"] == "train"]
    old = [row | {"semantic": "" if index > 4 else row["semantic"]} for index, row in enumerate(train[:7])]
    write_table(Table(tmp_path / "old.csv", every.columns, old + test))
    (tmp_path / "batch").mkdir()
    new = [row | {"depth": "", "place": ""} for row in train[5:]]  # two of the first batch, two images nobody knew
    write_table(Table(tmp_path / "new.csv", every.columns, new), tmp_path / "batch/new.csv")

    first = _recipe(tmp_path, "first", tmp_path / "old.csv", "[floor, wall, box]")
    assert main(["train", str(first), "--out", str(tmp_path / "runs/before"), "--quiet"]) == 0
    merged = ["merge", str(tmp_path / "old.csv"), str(tmp_path / "batch/new.csv"), "--out", str(tmp_path / "grown.csv")]
    assert main(merged) == 0
    grown = read_table(tmp_path / "grown.csv")
    assert sum(bool(row["semantic"]) for row in grown.rows if row["split"] == "train") == len(train)

    again = _recipe(tmp_path, "again", tmp_path / "grown.csv", "[lamp, box, wall, floor]")  # another order, one more
    text = again.read_text().replace("classes: [lamp", "remap: {0: 3, 1: 2, 2: 1}, classes: [lamp")
    again.write_text(text)
    capsys.readouterr()
    started = ["train", str(again), "--training.start_from", str(tmp_path / "runs/before"), "--training.lr", "1e-30",
               "--data.validation_fraction", "0"]  # fmt: skip
    assert main([*started, "--out", str(tmp_path / "runs/after")]) == 0
    assert "of semantic the classes box, wall, floor" in capsys.readouterr().err

    scores = {}
    for name in ("before", "after"):
        path = tmp_path / "runs" / name
        assert main(["eval", str(path), "--split", "test", "--quiet"]) == 0
        scores[name] = json.loads((path / "results_test.json").read_text())
    assert scores["before"]["images"] == scores["after"]["images"] == len(test)
    labels = {name: json.loads((tmp_path / "runs" / name / "environment.json").read_text())["training_labels"]
              for name in scores}  # fmt: skip
    assert labels["after"]["semantic"] > labels["before"]["semantic"]

    capsys.readouterr()
    page = tmp_path / "history.html"
    shutil.copytree(tmp_path / "runs/after", tmp_path / "runs/unmeasured", ignore=shutil.ignore_patterns("results_*"))
    runs = [str(tmp_path / "runs" / name) for name in ("before", "after", "unmeasured")]
    assert main(["report", *runs, "--out", str(page)]) == 0
    text = page.read_text()
    assert "Training labels and scores" in text
    assert "since before" in text
    assert f"<td>{labels['before']['depth']}</td>" in text
    assert "training labels of depth" in text
