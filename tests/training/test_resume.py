"""A run killed at any moment, then resumed, ends with the same bits as one that was never interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.tiny import write_recipe, write_tiny

ITERATIONS = 24
# every part with state of its own: moving average, warm-up, momentum, dropout, selection
TRAINING = (
    f"iterations: {ITERATIONS}, accumulate: 2, ema: 0.9, warmup: 5, clip: 1.0, precision: bf16, "
    "checkpoint_every: 4, evaluate_every: 6, batch_size: 3"
)

OPTIONS = ("--quiet", "--network.dropout", "0.2", "--data.workers", "1")


def command(*arguments: object) -> list[str]:
    code = "import sys, torch; torch.set_num_threads(1); from crosstask.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def logged(run: Path) -> int:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return max((json.loads(line)["iteration"] for line in lines if line.endswith("}")), default=0)


def interrupt(arguments: list[str], run: Path, at: int, number: int) -> int:
    """Start a run, send it a signal once it has logged iteration ``at``; returns its exit code."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 240
    while logged(run) < at and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    output, _ = process.communicate(timeout=240)
    assert logged(run) >= at, output.decode()
    return process.returncode


def weights(run: Path, which: str) -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / (run / "checkpoints" / which).read_text()
    return load_file(folder / "network.safetensors")


def log(run: Path) -> list[dict]:
    timing = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory"}
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if key not in timing} for record in records]


def same(run: Path, other: Path) -> None:
    for which in ("last", "best"):
        found, expected = weights(run, which), weights(other, which)
        assert found.keys() == expected.keys()
        for name in expected:
            assert torch.equal(found[name], expected[name]), f"{which}: {name}"
    assert log(run) == log(other)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A recipe, and a run of it that nothing interrupted."""
    folder = tmp_path_factory.mktemp("resumed")
    recipe = write_recipe(folder, write_tiny(folder), TRAINING)
    subprocess.run(command("train", recipe, "--out", folder / "whole", *OPTIONS), check=True, capture_output=True)
    return folder


def test_a_killed_run(folder):
    run = folder / "killed"
    code = interrupt(command("train", folder / "recipe.yaml", "--out", run, *OPTIONS), run, at=6, number=signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (run / "checkpoints" / f"{ITERATIONS:06d}").exists()
    subprocess.run(command("train", "--resume", run, "--quiet"), check=True, capture_output=True)
    same(run, folder / "whole")


def test_an_interrupted_run(folder):
    run = folder / "stopped"
    code = interrupt(command("train", folder / "recipe.yaml", "--out", run, *OPTIONS), run, at=3, number=signal.SIGINT)
    assert code == 130
    done = int((run / "checkpoints" / "last").read_text())
    assert logged(run) == done < ITERATIONS
    finished = subprocess.run(command("train", "--resume", run, "--quiet"), check=True, capture_output=True)
    assert f"finished at iteration {ITERATIONS}" in finished.stdout.decode()
    same(run, folder / "whole")
    assert not [name for name in os.listdir(run / "checkpoints") if name.startswith(".")]
