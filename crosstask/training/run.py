"""The run directory: one folder that holds everything about a run.

::

    RUN/recipe.yaml      the recipe with every default filled in
    RUN/labels.csv       the training rows with the labels the run was allowed to see
    RUN/log.txt          what was told, when, and how it ended
    RUN/metrics.jsonl    a line per log interval and per evaluation
    RUN/state.json       how it ended: status, iteration, and the reason where it failed
    RUN/checkpoints/     see checkpoint.py
    RUN/environment.json versions, device, parameter count
    RUN/fingerprint.json of all that training reads, to notice changes before the run goes on
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosstask.claims import claimed
from crosstask.errors import RunError, UserError
from crosstask.folders import require_kind
from crosstask.reading import read_text, require_regular
from crosstask.schema import parse_as
from crosstask.training.checkpoint import Checkpoints
from crosstask.writing import sweep, write

OWN = ("recipe.yaml", "labels.csv", "metrics.jsonl", "environment.json", "fingerprint.json", "state.json", "log.txt")
"""What is written before there is a checkpoint."""
LOCK = ".lock"
STATE = "state.json"


class Run:
    """A run directory.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoints = Checkpoints(self.path / "checkpoints")

    @property
    def recipe_path(self) -> Path:
        """The recipe as resolved."""
        return self.path / "recipe.yaml"

    @property
    def metrics_path(self) -> Path:
        """A line of numbers per logged step."""
        return self.path / "metrics.jsonl"

    def create(self, files: Mapping[str, bytes]) -> None:
        """Make the folder and write what the run is begun with. A run that has no checkpoint yet is begun anew.

        Args:
            files: by name what they hold, recipe.yaml first.

        Raises:
            UserError: there is a run with a checkpoint already, or something else.
        """
        require_kind(self.path, "training run")
        if self.exists() and self.checkpoints.has("last"):
            raise UserError(f"{self.path} already holds a run: continue it with --resume, or choose another folder")
        if self._occupied():
            raise UserError(f"{self.path} is not empty and not a run: choose another folder")
        if self._holds_a_recipe_of_somebody(files["recipe.yaml"]):
            raise UserError(
                f"{self.recipe_path} would be written over, and no run was begun beside it: choose another folder or "
                "move that file"
            )
        for name in OWN:
            (self.path / name).unlink(missing_ok=True)
        self.go_on(files)

    def _holds_a_recipe_of_somebody(self, recipe: bytes) -> bool:
        """Whether there is a recipe of another text and nothing else that a run writes."""
        if not self.exists() or any((self.path / name).exists() for name in OWN if name != self.recipe_path.name):
            return False
        require_regular(self.recipe_path)
        return self.recipe_path.read_bytes() != recipe

    def _occupied(self) -> bool:
        """Whether anything is there that is not our own, or left over of our own."""
        if not self.path.exists():
            return False
        own = (*OWN, self.checkpoints.folder.name)
        return any(path.name not in own and not path.name.startswith(".") for path in self.path.iterdir())

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """A context in which no other process may write to the run.

        Raises:
            UserError: another one does, or no folder can be made there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: no folder can be made there ({error.strerror}): choose another") from error
        with claimed(self.path / LOCK) as mine:
            if not mine:
                raise UserError(f"{self.path}: another process is training this run: wait for it, or end it first")
            self.checkpoints.tidy()
            sweep(self.path, again=True)
            try:
                yield
            finally:
                if not any(path.name != LOCK for path in self.path.iterdir()):  # nothing came of it
                    (self.path / LOCK).unlink(missing_ok=True)
                    self.path.rmdir()

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe_path.exists()

    def require(self) -> None:
        """
        Raises:
            UserError: the folder holds no run.
        """
        if not self.exists():
            raise UserError(f"{self.path} is not a run: there is no {self.recipe_path.name} in it")
        require_kind(self.path, "training run")

    def go_on(self, files: Mapping[str, bytes]) -> None:
        """Write what the run goes on with, by name what they hold; how it ended before is no longer true."""
        (self.path / STATE).unlink(missing_ok=True)
        for name, content in files.items():
            self.write(name, content)

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file of the run atomically."""
        try:
            write(self.path / name, content)
        except OSError as error:
            raise RunError(
                f"could not write {self.path / name}: {error.strerror}; free some space, then --resume"
            ) from error

    def read_json(self, name: str) -> Any:
        """The content of a file of the run; None where it is not there, or is no JSON."""
        try:
            return json.loads(read_text(self.path / name))
        except (UserError, ValueError, RecursionError):
            return None

    def log(self, record: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl; numbers that are not finite become null."""
        try:
            with open(self.metrics_path, "a") as file:
                file.write(json.dumps(plain(record)) + "\n")
        except OSError as error:
            raise RunError(
                f"could not write {self.metrics_path}: {error.strerror}; free some space, then --resume"
            ) from error

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line cut off by a crash is left out.

        Raises:
            UserError: another line is not what it has to be; names line, key and value.
        """
        if not self.metrics_path.exists():
            return []
        lines = read_text(self.metrics_path).split("\n")
        records = []
        if not _is_json(lines[-1]):
            lines.pop()
        for number, line in enumerate(lines, start=1):
            where = f"{self.metrics_path}, line {number}"
            parse_as(line, Line, where, "restore the file, or remove the line")
            records.append(json.loads(line))
        return records

    def forget_after(self, iteration: int) -> None:
        """Drop the lines a resumed run is about to write again."""
        kept = [record for record in self.records() if record["iteration"] <= iteration]
        self.write(self.metrics_path.name, "".join(json.dumps(record) + "\n" for record in kept))


@dataclass(frozen=True)
class Line:
    """What every line of metrics.jsonl has to hold; null is a number nobody could measure.

    Attributes:
        kind: train or validation.
        iteration: optimiser steps taken.
        terms: mean losses.
        metrics: numbers of the validation split.
        measures: what objectives measure of themselves.
        seconds_per_step: time of a step.
        peak_memory: bytes.
    """

    kind: str
    iteration: int
    terms: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    seconds_per_step: float | None = None
    peak_memory: int | None = None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def plain(value: Any) -> Any:
    """``value`` with numbers JSON cannot hold (NaN, infinities) replaced by None."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
