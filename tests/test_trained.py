from __future__ import annotations

from dataclasses import replace

from crosstask.cli import main
from crosstask.data.table.table import read_table, write_table
from crosstask.trained import load_run
from tests.tiny import write_recipe, write_tiny


def test_what_is_tested_on_may_be_called_as_what_is_validated_on(tmp_path):
    table = read_table(write_tiny(tmp_path))
    rows = [row | {"split": "train" if row["split"] == "train" else "val"} for row in table.rows]
    write_table(replace(table, rows=rows))
    typed = ("--data.test_split", "val", "--training.iterations", "1", "--out", str(tmp_path / "run"), "--quiet")
    assert main(["train", str(write_recipe(tmp_path, table.path)), *typed]) == 0
    run = load_run(tmp_path / "run")
    assert run.splits.validation is not None  # held out of what is trained on
    for split in (None, "val", "valid"):
        assert run.evaluation_data(split)[0].ids == [row["id"] for row in rows if row["split"] == "val"]
