"""``crosstask compare`` as a person types it, in processes that are interrupted, killed, and fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crosstask.compare.cell import RESULTS
from crosstask.compare.grid import Grid
from tests.tiny import write_recipe, write_tiny

pytestmark = pytest.mark.slow


def command(recipe: Path, out: Path, *options: object) -> list[str]:
    words = [recipe, "--objectives", "pairwise", "--labels", "one", "--seeds", "0", "--out", out, *options]
    return [sys.executable, "-m", "crosstask.cli", "compare", *map(str, words)]


def run(words: list[str], code: int = 0) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=400, env=environment, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def recipe(tmp_path) -> Path:
    return write_recipe(tmp_path, write_tiny(tmp_path))


def test_a_grid_that_is_interrupted_killed_and_split_ends_as_one_that_was_not(recipe, tmp_path):
    length = ("--training.iterations", 80, "--training.checkpoint_every", 100, "--jobs", 2)
    run(command(recipe, tmp_path / "whole", *length))
    parts = tmp_path / "parts"
    first = parts / "runs" / "supervised" / "one" / "seed0"
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            command(recipe, parts, *length), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        lines = _lines(first)
        while process.poll() is None and _lines(first) < lines + 3:
            time.sleep(0.02)
        os.killpg(process.pid, number)
        said = process.communicate(timeout=120)[0].decode()
        assert process.returncode == 130, said
        assert "continue with: crosstask compare" in said
        # at most the step in progress is lost: what was logged was saved
        assert int((first / "checkpoints" / "last").read_text()) == _lines(first) < 80
    said = run(command(recipe, parts, *length))
    assert "wrote" in said
    for path in (tmp_path / "whole").rglob(RESULTS):
        other = parts / path.relative_to(tmp_path / "whole")
        assert other.read_text() == path.read_text()
    before = {path: path.stat().st_mtime_ns for path in parts.rglob("*.safetensors")}
    run(command(recipe, parts, *length))  # nothing is left to do
    assert before == {path: path.stat().st_mtime_ns for path in parts.rglob("*.safetensors")}
    assert len(Grid.load(parts).cells) == 2


def test_a_run_that_fails_costs_only_itself(recipe, tmp_path):
    patch = tmp_path / "broken.yaml"
    patch.write_text("network: {weights: gone.safetensors}")
    out = tmp_path / "out"
    said = run([*command(recipe, out), "--objectives", str(patch)], code=1)
    assert "crosstask: error: broken, labels one, seed 0: " in said
    assert "gone.safetensors" in said
    assert (out / "runs" / "supervised" / "one" / "seed0" / RESULTS).exists()
    assert len(json.loads((out / "comparison.json").read_text())["missing"]) == 1


def _lines(run: Path) -> int:
    try:
        return sum('"train"' in line for line in (run / "metrics.jsonl").read_text().splitlines())
    except OSError:
        return 0
