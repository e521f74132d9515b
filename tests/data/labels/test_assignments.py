"""Official assignments of labels, read from a file of one tensor."""

from __future__ import annotations

import pickle

import pytest
import torch

from crosstask.data.labels.protocols import assign
from crosstask.errors import DataError

TASKS = ["semantic", "depth", "normals"]


def write(path, rows=6, tasks=3, **more):
    kept = torch.eye(tasks)[torch.arange(rows) % tasks]
    torch.save({"labels_weights": kept, **more}, path)
    return kept.bool()


def keep(path, ids, labelled=None, tasks=TASKS):
    there = torch.ones(len(ids), len(tasks), dtype=torch.bool) if labelled is None else labelled
    return assign(there, f"file:{path}", 0, ids, tasks)


def test_rows_are_found_by_the_number_in_the_id(tmp_path):
    kept = write(tmp_path / "one.pth")
    assert torch.equal(keep(tmp_path / "one.pth", ["train/4", "train/0", "train/3"]), kept[[4, 0, 3]])
    assert torch.equal(keep(tmp_path / "one.pth", ["0005", "0001"]), kept[[5, 1]])


def test_other_ids_are_in_the_order_of_the_file(tmp_path):
    kept = write(tmp_path / "one.pth")
    assert torch.equal(keep(tmp_path / "one.pth", [f"aachen_{i}" for i in range(6)]), kept)
    assert torch.equal(keep(tmp_path / "one.pth", [f"{i:04}" for i in range(100, 106)]), kept)


def test_labels_that_do_not_exist_are_not_kept(tmp_path):
    kept = write(tmp_path / "one.pth")
    there = torch.ones(6, 3, dtype=torch.bool)
    there[0] = False
    assert torch.equal(keep(tmp_path / "one.pth", [str(i) for i in range(6)], there), kept & there)


def test_what_does_not_fit_is_one_clear_line(tmp_path):
    path = tmp_path / "one.pth"
    ids = [f"train/{i}" for i in range(6)]
    with pytest.raises(DataError, match="no such file"):
        keep(path, ids)
    write(path, tasks=2)
    with pytest.raises(DataError, match=r"is for 2 tasks, the recipe has 3 \(semantic, depth, normals\)"):
        keep(path, ids)
    write(path, rows=4)
    with pytest.raises(DataError, match="has 4 rows but there are 6 training samples"):
        keep(path, ids)
    torch.save({"weights": torch.ones(6, 3)}, path)
    with pytest.raises(DataError, match=r"holds no labels_weights.*found: weights"):
        keep(path, ids)
    path.write_bytes(b"no tensors")
    with pytest.raises(DataError, match="not a file of tensors"):
        keep(path, ids)


def test_code_in_the_file_is_not_executed(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    with (tmp_path / "one.pth").open("wb") as file:
        pickle.dump({"labels_weights": Harmful()}, file, protocol=2)
    with pytest.raises(DataError, match="not a file of tensors"):
        keep(tmp_path / "one.pth", ["0"])
    assert not (tmp_path / "executed").exists()
