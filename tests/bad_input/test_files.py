"""Files that are missing, damaged or hold what cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from tests.bad_input.commands import edit, train
from tests.tiny import write_recipe


def damage(data: Path, column: str, write) -> None:
    for row in range(8):
        write(data / column / f"{row:03d}.png")


def truncate(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


DAMAGES = {
    "missing image": ("image", Path.unlink, "image/"),
    "missing label": ("depth", Path.unlink, "depth/"),
    "truncated image": ("image", truncate, "image/"),
    "truncated label": ("semantic", truncate, "semantic/"),
    "empty file": ("image", lambda path: path.write_bytes(b""), "image/"),
    "not an image": ("image", lambda path: path.write_text("hello"), "image/"),
    "label of another size": (
        "depth", lambda path: Image.fromarray(np.ones((5, 7), np.uint16)).save(path), "32x48",
    ),
    "class id out of range": (
        "semantic", lambda path: Image.fromarray(np.full((32, 48), 7, np.uint8)).save(path), "class id 7",
    ),
    "normals with one channel": (
        "normals", lambda path: Image.fromarray(np.zeros((32, 48), np.uint8)).save(path), "normals",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_name_row_and_column(capsys, data, name):
    column, write, expected = DAMAGES[name]
    damage(data, column, write)
    line = train(capsys, data, "--data.labels", "full")
    assert expected in line
    assert column in line
    assert "data.csv" in line


ARRAYS = {
    "negative depth": ("depth", np.full((32, 48), -1.0, np.float32), "negative"),
    "infinite depth": ("depth", np.full((32, 48), np.inf, np.float32), "infinite"),
    "depth in millimetres as floats": ("depth", np.full((32, 48), 2500.0, np.float32), "unit"),
    "normals that are not unit": ("normals", np.full((32, 48, 3), 3.0, np.float32), "unit"),
    "class ids that are fractions": ("semantic", np.full((32, 48), 0.5, np.float32), "whole numbers"),
    "image with NaN": ("image", np.full((32, 48, 3), np.nan, np.float32), "NaN"),
    "pickled array": ("depth", np.array([{"a": 1}], dtype=object), "depth/"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_cannot_be(capsys, data, name):
    column, array, expected = ARRAYS[name]
    for row in range(8):
        np.save(data / column / f"{row:03d}.npy", array, allow_pickle=True)
        edit(data / "data.csv", row, **{column: f"{column}/{row:03d}.npy"})
    line = train(capsys, data, "--data.labels", "full")
    assert expected in line
    assert column in line


def test_truncated_array(capsys, data):
    for row in range(8):
        path = data / "depth" / f"{row:03d}.npy"
        np.save(path, np.ones((32, 48), np.float32))
        truncate(path)
        edit(data / "data.csv", row, depth=f"depth/{row:03d}.npy")
    assert "depth" in train(capsys, data, "--data.labels", "full")


def test_unknown_tag_and_category_name_the_nearest(capsys, data):
    for row in range(8):
        edit(data / "data.csv", row, tags="catt")
    assert "cat, sofa" in train(capsys, data, "--data.labels", "full")
    for row in range(8):
        edit(data / "data.csv", row, tags="cat", place="indor")
    shutil.rmtree(data / "run", ignore_errors=True)
    assert "indoor" in train(capsys, data, "--data.labels", "full")


def test_wholly_unknown_normals_and_skipped_files_do_not_stop_a_run(capsys, data):
    damage(data, "normals", lambda path: Image.fromarray(np.full((32, 48, 3), 127, np.uint8)).save(path))
    (data / "image" / "000.png").write_bytes(b"")
    recipe = write_recipe(data, data / "data.csv", "")
    arguments = ["train", recipe, "--out", data / "run", "--quiet", "--data.on_error", "skip", "--data.labels", "full",
                 "--data.validation_fraction", "0"]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0


def test_skipped_files_stop_nothing_that_looks_at_the_training_labels(caplog, data):
    with open(data / "image" / "000.png", "r+b") as file:
        file.truncate(300)
    edit(data / "data.csv", 7, split="val")
    recipe = write_recipe(data, data / "data.csv", "")
    arguments = ["train", recipe, "--out", data / "run", "--quiet", "--data.on_error", "skip", "--data.labels", "full",
                 "--tasks.semantic.class_weights", "balanced"]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0
    assert json.loads((data / "run" / "state.json").read_text())["status"] == "finished"
    assert "image/000.png" in caplog.text
    caplog.clear()
    assert main(["eval", str(data / "run"), "--prior", "--quiet"]) == 0
    assert "passed over" in caplog.text
