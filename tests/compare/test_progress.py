"""How far, and how long yet."""

from __future__ import annotations

import json

import pytest

from crosstask.compare.progress import GridProgress, advance


def write(path, iteration: int, iterations: int = 10, broken: str = "") -> None:
    path.mkdir(exist_ok=True)
    (path / "environment.json").write_text(json.dumps({"iterations": iterations}))
    lines = [json.dumps({"iteration": step}) for step in range(1, iteration + 1)]
    (path / "metrics.jsonl").write_text("\n".join(lines) + broken)


def test_advance_reads_the_last_line(tmp_path):
    assert advance(tmp_path / "run") == 0
    write(tmp_path / "run", 4)
    assert advance(tmp_path / "run") == 0.4
    write(tmp_path / "run", 4, broken='\n{"iter')
    assert advance(tmp_path / "run") == 0


def test_remaining_counts_what_this_process_did(tmp_path):
    now = [100.0]
    progress = GridProgress(4, quiet=True, clock=lambda: now[0])
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, 5)  # half of it was done before
    progress.tick([first])
    assert progress.remaining() is None
    now[0] = 110.0
    write(first, 10)
    progress.end(first, "first")
    # half a run in 10 seconds: the other three take a minute
    assert progress.remaining() == pytest.approx(60)
    progress.tick([second])
    write(second, 5)
    progress.tick([second])
    now[0] = 120.0
    assert progress.remaining() == pytest.approx(20 / 1.0 * 2.5)
