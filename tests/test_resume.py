"""A run killed at any moment, then resumed, ends with the same bits as one that was never interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.tiny import write_recipe, write_tiny

ITERATIONS = 24
# every part with state of its own: moving average, warm-up, momentum, dropout, selection
TRAINING = (
    f"iterations: {ITERATIONS}, accumulate: 2, ema: 0.9, warmup: 5, clip: 1.0, precision: bf16, "
    "checkpoint_every: 4, evaluate_every: 6, batch_size: 3"
)


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


def test_killed_and_interrupted_runs_resume_bit_exactly(tmp_path):
    table = write_tiny(tmp_path)
    recipe = write_recipe(tmp_path, table, TRAINING)
    whole, killed, stopped = (tmp_path / name for name in ("whole", "killed", "stopped"))
    options = ("--quiet", "--network.dropout", "0.2", "--data.workers", "1")
    subprocess.run(command("train", recipe, "--out", whole, *options), check=True, capture_output=True)

    code = interrupt(command("train", recipe, "--out", killed, *options), killed, at=6, number=signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (killed / "checkpoints" / f"{ITERATIONS:06d}").exists()
    subprocess.run(command("train", "--resume", killed, "--quiet"), check=True, capture_output=True)
    same(killed, whole)

    code = interrupt(command("train", recipe, "--out", stopped, *options), stopped, at=3, number=signal.SIGINT)
    assert code == 130
    done = int((stopped / "checkpoints" / "last").read_text())
    assert logged(stopped) == done < ITERATIONS
    finished = subprocess.run(command("train", "--resume", stopped, "--quiet"), check=True, capture_output=True)
    assert f"finished at iteration {ITERATIONS}" in finished.stdout.decode()
    same(stopped, whole)
    assert not [name for name in os.listdir(stopped / "checkpoints") if name.startswith(".")]
