"""Pipes in place of the files of runs: nobody waits for who might write into them."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from crosstask.cli import main
from crosstask.compare.progress import advance
from crosstask.rounds.record import Record
from crosstask.training.listing import find_runs
from tests.bad_input.commands import failing
from tests.tiny import write_recipe


@pytest.fixture(autouse=True)
def patience():
    """A test that waits for a pipe fails."""

    def fail(*_):
        raise TimeoutError("waited for a pipe")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, tiny / "data.csv", "iterations: 1")
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    assert main(["eval", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("name", ["log.txt", "metrics.jsonl", "recipe.yaml", "checkpoints/last"])
def test_a_run_is_not_resumed(capsys, trained, tmp_path, name):
    shutil.copytree(trained, tmp_path / "run")
    pipe(tmp_path / "run" / name)
    line = failing(capsys, ["train", "--resume", tmp_path / "run", "--training.iterations", "2", "--quiet"])
    assert Path(name).name in line


def test_a_fingerprint_says_nothing(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    pipe(tmp_path / "run" / "fingerprint.json")
    assert main(["train", "--resume", str(tmp_path / "run"), "--training.iterations", "2", "--quiet"]) == 0


def test_runs_are_listed_all_the_same(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    for name in ("results_test.json", "environment.json", "state.json"):
        pipe(tmp_path / "run" / name)
    (found,) = find_runs(tmp_path)
    assert found.state == "killed"
    assert advance(tmp_path / "run") == 0


def test_a_recipe_that_is_none_is_not_read_before_a_run_is_begun(capsys, trained, tmp_path):
    (tmp_path / "new").mkdir()
    pipe(tmp_path / "new" / "recipe.yaml")
    typed = ["train", trained.parent / "recipe.yaml", "--out", tmp_path / "new", "--quiet"]
    assert "is a folder, a device or a pipe" in failing(capsys, typed)


def test_no_report_of_rounds_whose_recipe_is_none(capsys, trained, tmp_path):
    Record(tmp_path / "rounds.json", rounds=[
        {"round": 0, "labels": "labels_0/table.csv", "pseudo_labels": {}, "run": "round_0"}
    ]).finish("round_0")  # fmt: skip
    shutil.copytree(trained, tmp_path / "round_0")
    pipe(tmp_path / "recipe.yaml")
    assert "recipe.yaml: is a folder, a device or a pipe" in failing(capsys, ["report", tmp_path])
