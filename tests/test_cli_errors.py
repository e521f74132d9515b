"""Bad input is one clear line and exit code 2 (1 for a fault while running); nothing is lost, no traceback."""

from __future__ import annotations

import csv
import errno
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.cli import main
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny data")
    write_tiny(folder)
    return folder


@pytest.fixture
def data(tiny, tmp_path) -> Path:
    """A copy that a test may damage; the folder's name has a space and an umlaut."""
    folder = tmp_path / "dätä set"
    shutil.copytree(tiny, folder)
    return folder


def edit(table: Path, row: int, **cells: str) -> None:
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    rows[row].update(cells)
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def failing(capsys, arguments: list[str], code: int = 2) -> str:
    """The one line a command fails with."""
    try:
        found = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse: usage, then one line
        found = stop.code
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert found == code
        return line
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crosstask: error:")]
    assert found == code, lines
    assert len(lines) == 1, lines
    return lines[0]


def train(capsys, data: Path, *overrides: str, code: int = 2, training: str = "") -> str:
    recipe = write_recipe(data, data / "data.csv", training)
    return failing(capsys, ["train", recipe, "--out", data / "run", "--quiet", *overrides], code)


# -- tables ----------------------------------------------------------------------------------------------------------


def test_missing_table(capsys, data):
    line = train(capsys, data, "--data.table", str(data / "no.csv"))
    assert "no.csv" in line


def test_empty_table(capsys, data):
    (data / "data.csv").write_text("id,image,semantic\n")
    assert "the table is empty" in train(capsys, data)


def test_table_without_image_column(capsys, data):
    (data / "data.csv").write_text("id,picture\n1,a.png\n")
    assert "no column 'image'" in train(capsys, data)


def test_missing_task_column_names_the_nearest(capsys, data):
    line = train(capsys, data, "--tasks.dept", "{kind: depth}")
    assert "no column 'dept'" in line
    assert "'depth'" in line


def test_duplicate_ids(capsys, data):
    edit(data / "data.csv", 1, id="000")
    assert "000" in train(capsys, data)


def test_row_with_too_many_cells(capsys, data):
    with open(data / "data.csv", "a") as file:
        file.write("x,y,z,a,b,c,d,e,f,g,h\n")
    assert "data.csv" in train(capsys, data)


def test_table_that_is_not_text(capsys, data):
    (data / "data.csv").write_bytes(b"\xff\xfe\x00\x81" * 50)
    assert "data.csv" in train(capsys, data)


def test_unknown_table_format(capsys, data):
    (data / "data.xlsx").write_bytes(b"x")
    assert "data.xlsx" in train(capsys, data, "--data.table", str(data / "data.xlsx"))


def test_paths_that_leave_the_folder_are_refused_when_confined(capsys, data):
    edit(data / "data.csv", 0, image="../outside.png")
    assert "outside.png" in train(capsys, data, "--data.confined", "true")


def test_a_split_that_is_not_there(capsys, data):
    assert "'validate'" in train(capsys, data, "--data.train_split", "validate")


def test_a_task_without_any_training_label(capsys, data):
    for row in range(8):
        if row % 4 != 3:
            edit(data / "data.csv", row, depth="")
    line = train(capsys, data)
    assert "task 'depth' has no label" in line


# -- files ----------------------------------------------------------------------------------------------------------


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
    shutil.rmtree(data / "run")
    assert "indoor" in train(capsys, data, "--data.labels", "full")


def test_wholly_unknown_normals_and_skipped_files_do_not_stop_a_run(capsys, data):
    damage(data, "normals", lambda path: Image.fromarray(np.full((32, 48, 3), 127, np.uint8)).save(path))
    (data / "image" / "000.png").write_bytes(b"")
    recipe = write_recipe(data, data / "data.csv", "")
    arguments = ["train", recipe, "--out", data / "run", "--quiet", "--data.on_error", "skip", "--data.labels", "full",
                 "--data.validation_fraction", "0"]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0


# -- recipes ----------------------------------------------------------------------------------------------------------

RECIPES = {
    "--training.epochz=5": ("training.epochz", "epochs"),
    "--trainin.epochs=5": ("trainin", "training"),
    "--training.lr=fast": ("training.lr", "a number"),
    "--training.lr=-1": ("training.lr", "-1"),
    "--training.batch_size=0": ("training.batch_size", "0"),
    "--training.optimiser=adamm": ("training.optimiser", "'adamw'"),
    "--training.ema=1.5": ("training.ema", "1.5"),
    "--data.labels=won": ("won", "one"),
    "--data.labels=fraction:2": ("fraction:2", "0.1"),
    "--data.size=[4,4]": ("data.size", "16x16"),
    "--data.zoom=[2,1]": ("data.zoom", "[2.0, 1.0]"),
    "--data.rooms={train: 4}": ("data", "either table or rooms"),
    "--tasks.depth.kind=depht": ("tasks.depth.kind", "'depth'"),
    "--tasks.depth.los=l1": ("tasks.depth.los", "'loss'"),
    "--tasks.semantic.classes=0": ("tasks.semantic", "0"),
    "--objectives=supervise": ("objectives.supervise", "'supervised'"),
    "--objectives.supervised.weigth=2": ("objectives.supervised.weigth", "weight"),
    "--balancing.kind=magic": ("balancing.kind", "fixed"),
    "--network.encoder=resnet19": ("resnet19", "resnet18"),
    "--network.widht=3": ("network.widht", ""),
    "--objectives.mine={class_path: nowhere.Mine}": ("objectives.mine.class_path", "nowhere.Mine"),
}


@pytest.mark.parametrize("flag", RECIPES)
def test_recipes_name_the_key_and_the_nearest_valid_one(capsys, data, flag):
    key, hint = RECIPES[flag]
    line = train(capsys, data, flag)
    assert key in line
    assert hint in line
    assert not (data / "run").exists()


def test_recipe_that_is_not_there_or_not_yaml(capsys, tmp_path):
    assert "did you mean 'demo'" in failing(capsys, ["train", "demoo"])
    (tmp_path / "broken.yaml").write_text("a: [1, 2")
    assert "cannot be read as YAML" in failing(capsys, ["train", tmp_path / "broken.yaml"])
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "expected sections" in failing(capsys, ["train", tmp_path / "list.yaml"])
    (tmp_path / "none.yaml").write_text("data: {table: a.csv}\n")
    assert "tasks: missing" in failing(capsys, ["train", tmp_path / "none.yaml"])


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_recipe(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert main(["train", "demo", "--print_config"]) == 0
    assert "rooms" in capsys.readouterr().out


def test_a_flag_without_a_value(capsys, data):
    assert "--training.epochs: needs a value" in train(capsys, data, "--training.epochs")


def test_unknown_command_and_unknown_flag(capsys):
    assert "invalid choice" in failing(capsys, ["trian"])
    assert "--nonsense" in failing(capsys, ["check", "a.csv", "--nonsense"])


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, tiny / "data.csv")
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def test_an_existing_run_is_not_overwritten(capsys, trained):
    before = (trained / "metrics.jsonl").read_bytes()
    recipe = trained.parent / "recipe.yaml"
    line = failing(capsys, ["train", recipe, "--out", trained, "--quiet"])
    assert "--resume" in line
    assert (trained / "metrics.jsonl").read_bytes() == before


def test_a_folder_that_is_no_run(capsys, tmp_path):
    (tmp_path / "file").write_text("precious")
    assert "is not a run" in failing(capsys, ["eval", tmp_path])
    assert "is not a run" in failing(capsys, ["train", "--resume", tmp_path])
    write_tiny(tmp_path / "data")
    recipe = write_recipe(tmp_path / "data", tmp_path / "data" / "data.csv")
    assert "is not empty" in failing(capsys, ["train", recipe, "--out", tmp_path])
    assert (tmp_path / "file").read_text() == "precious"


def test_resume_takes_no_overrides(capsys, trained):
    assert "leave out --training.lr" in failing(capsys, ["train", "--resume", trained, "--training.lr", "1"])


@pytest.mark.parametrize("file", ["network.safetensors", "state.pt"])
def test_a_pickle_in_place_of_a_checkpoint_is_not_loaded(capsys, trained, tmp_path, file):
    run = tmp_path / "run"
    shutil.copytree(trained, run)

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    for path in (run / "checkpoints").glob(f"*/{file}"):
        path.write_bytes(pickle.dumps(Evil(), protocol=2))
    arguments = ["eval", run, "--quiet"] if file == "network.safetensors" else ["train", "--resume", run, "--quiet"]
    assert "so it is not loaded" in failing(capsys, arguments)
    assert not (tmp_path / "executed").exists()


def test_a_missing_split_when_measuring(capsys, trained):
    line = failing(capsys, ["eval", trained, "--split", "nowhere", "--quiet"])
    assert "nowhere" in line
    assert "test" in line


def test_a_full_disk_while_checkpointing_keeps_what_there_is(capsys, data, monkeypatch):
    from crosstask.training import checkpoint

    save, calls = checkpoint.save_file, []

    def full(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(*arguments)

    monkeypatch.setattr(checkpoint, "save_file", full)
    line = train(capsys, data, code=1, training="checkpoint_every: 1, evaluate_every: 4")
    assert "No space left" in line
    assert "the one of iteration 1 is intact" in line
    monkeypatch.setattr(checkpoint, "save_file", save)
    assert main(["train", "--resume", str(data / "run"), "--quiet"]) == 0


def test_a_loss_that_is_not_finite_names_term_and_samples(capsys, data, monkeypatch):
    from crosstask.networks.multitask import MultiTaskNetwork

    forward = MultiTaskNetwork.heads_forward

    def broken(self, features, size):
        predictions = forward(self, features, size)
        return predictions | {"tags": predictions["tags"] * float("nan")}

    monkeypatch.setattr(MultiTaskNetwork, "heads_forward", broken)
    line = train(capsys, data, "--data.labels", "full", code=1)
    assert "supervised/tags" in line
    assert "samples 0" in line


def test_predict_reports_broken_images_and_finishes_the_rest(capsys, trained, tiny, tmp_path):
    shots = tmp_path / "shots"
    shots.mkdir()
    shutil.copy(tiny / "image" / "000.png", shots / "good.png")
    (shots / "bad.png").write_bytes(b"nothing")
    line = failing(capsys, ["predict", trained, shots, "--out", tmp_path / "out", "--quiet"], code=1)
    assert "bad.png" in line
    assert (tmp_path / "out" / "semantic" / "good.png").exists()


def test_predict_without_images_or_into_a_full_folder(capsys, trained, tiny, tmp_path):
    assert "none" in failing(capsys, ["predict", trained, tmp_path / "none", "--out", tmp_path / "out", "--quiet"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    line = failing(capsys, ["predict", trained, tiny / "image", "--out", tmp_path / "full", "--quiet"])
    assert "--overwrite" in line


def test_checking_a_broken_table_exits_with_2(capsys, data):
    (data / "image" / "000.png").write_bytes(b"")
    assert main(["check", str(data / "data.csv"), "--quiet", "--workers", "0"]) == 2
    assert "000" in capsys.readouterr().out


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(Exception, match="is not a run"):
        main(["eval", str(tmp_path), "--debug"])


def test_torch_state_is_loadable_without_running_code(trained):
    for path in trained.glob("checkpoints/*/state.pt"):
        assert torch.load(path, weights_only=True)["iteration"] == int(path.parent.name)
