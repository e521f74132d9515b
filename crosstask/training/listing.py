"""What became of the runs below a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.claims import is_claimed
from crosstask.errors import UserError
from crosstask.reading import read_text
from crosstask.training.run import LOCK, STATE, Run

RESULTS = "results_*.json"


@dataclass(frozen=True)
class RunState:
    """A run as it is listed.

    Attributes:
        path: the run directory.
        state: running, finished, stopped early, interrupted, failed, or killed (it ended and could not say so).
        iteration: of the last record.
        iterations: length of the run; None where it never began.
        scores: the primary number of each task by ``TASK METRIC``; None where it could not be measured.
        measured: on what: the split of ``crosstask eval``, or validation, of the best checkpoint.
        changed: when anything was last recorded, seconds since the epoch.
        reason: why it failed.
    """

    path: str
    state: str
    iteration: int
    iterations: int | None
    scores: dict[str, float | None]
    measured: str
    changed: float
    reason: str | None = None

    @property
    def age(self) -> str:
        """How long ago anything was last recorded, in a word."""
        seconds = max(time.time() - self.changed, 0)
        for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
            if seconds >= length:
                return f"{seconds / length:.0f} {unit}"
        return f"{seconds:.0f} s"


def find_runs(folder: Path) -> list[RunState]:
    """The runs in a folder and below, by path."""
    return [_state(path) for path in sorted(_folders(folder))]


def _folders(folder: Path) -> Iterator[Path]:
    if (folder / "recipe.yaml").is_file() and (folder / "labels.csv").is_file():
        yield folder
    for below in folder.iterdir():
        if below.is_dir() and below.name not in ("checkpoints", "tensorboard") and not below.name.startswith("."):
            yield from _folders(below)


def _state(path: Path) -> RunState:
    run = Run(path)
    records = run.records()
    ended = run.read_json(STATE) or {}
    planned = (run.read_json("environment.json") or {}).get("iterations")
    iteration = records[-1]["iteration"] if records else 0
    state = "running" if is_claimed(path / LOCK) else ended.get("status", "killed")
    if state == "killed" and planned is not None and iteration >= planned and run.checkpoints.has("last"):
        state = "finished"  # by a version that did not write down how it ended
    scores, measured = _scores(run, records)
    changed = max((each.stat().st_mtime for each in (run.metrics_path, run.recipe_path) if each.exists()), default=0.0)
    return RunState(str(path), state, iteration, planned, scores, measured, changed, ended.get("reason"))


def _scores(run: Run, records: list[dict[str, Any]]) -> tuple[dict[str, float | None], str]:
    """From the newest results of ``crosstask eval`` on the run's own data, else from the best validation."""
    for file in sorted(run.path.glob(RESULTS), key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            results = json.loads(read_text(file))
            if "table" in results.get("settings", {}):
                continue
            tasks = results["tasks"]
            return {
                f"{name} {task['primary']}": task["numbers"][task["primary"]]["value"] for name, task in tasks.items()
            }, file.stem.removeprefix("results_")
        except (UserError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    validations = [record for record in records if record["kind"] == "validation" and "primary" in record]
    best = next((record for record in reversed(validations) if record.get("best")), None)
    if best is None:
        return {}, ""
    return {name.replace("/", " "): best["metrics"][name] for name in best["primary"].values()}, "validation"
