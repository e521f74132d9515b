"""Runs: nothing is lost, whatever is asked of them."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from crosstask.cli import main
from tests.bad_input.commands import failing, train
from tests.tiny import write_recipe, write_tiny


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


def test_resume_takes_no_overrides_of_what_the_run_is(capsys, trained):
    assert "training.batch_size: the run has 2, found 1" in failing(
        capsys, ["train", "--resume", trained, "--training.batch_size", "1"]
    )


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
