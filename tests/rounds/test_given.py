from __future__ import annotations

from dataclasses import replace

import pytest

from crosstask.data.options import DataOptions
from crosstask.data.table.table import read_table, write_table
from crosstask.rounds.given import given_labels
from crosstask.rounds.labels import training_rows
from crosstask.splits import load_splits
from crosstask.tasks import KINDS
from tests.tiny import write_tiny

TASKS = {"depth": KINDS["depth"]("depth"), "tags": KINDS["tags"]("tags", classes=["a", "b"])}


@pytest.fixture
def table(tmp_path):
    """Images with a depth and tags each, but for cells that say nothing; ten of them are trained on."""
    given = read_table(write_tiny(tmp_path))
    depth = next(row["depth"] for row in given.rows if row["depth"])
    rows = [
        {"id": f"{index}", "image": given.rows[0]["image"], "split": "Training" if index < 10 else "Test",
         "depth": "NaN" if index % 2 else depth, "tags": "a" if index % 3 else "?a;?b"}
        for index in range(14)
    ]  # fmt: skip
    return write_table(replace(given, path=tmp_path / "all.csv", columns=tuple(rows[0]), rows=rows))


@pytest.mark.parametrize("labels", ["full", "one", "random", "fraction:0.3"])
def test_what_the_protocol_leaves_is_what_a_training_sees(table, labels):
    data = DataOptions(table=str(table.path), labels=labels, labels_seed=1, validation_fraction=0)
    left = write_table(given_labels(table, data, TASKS), table.folder / "left.csv")
    seen = load_splits(data, TASKS).train
    again = load_splits(replace(data, table=str(left.path), labels="full"), TASKS).train
    assert again.ids == seen.ids
    assert again.labelled().tolist() == seen.labelled().tolist()
    assert seen.labelled().any()
    assert [row["tags"] for row in left.rows[10:]] == [row["tags"] if index % 3 else "" for index, row in
                                                       enumerate(table.rows)][10:]  # fmt: skip


@pytest.mark.parametrize(("split", "count"), [("train", 10), ("Training", 10), ("Training, Test", 14), ("Test", 4)])
def test_training_rows_are_found_as_a_training_finds_them(table, split, count):
    assert len(training_rows(table, DataOptions(table=str(table.path), train_split=split))) == count
