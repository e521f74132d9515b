"""The run directory: one folder that holds everything about a run.

::

    RUN/recipe.yaml      the recipe with every default filled in
    RUN/labels.csv       the training rows with the labels the run was allowed to see
    RUN/metrics.jsonl    a line per log interval and per evaluation
    RUN/checkpoints/     see checkpoint.py
    RUN/environment.json versions, device, parameter count
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from crosstask.errors import RunError, UserError
from crosstask.training.checkpoint import Checkpoints, write_atomically


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
        return self.path / "recipe.yaml"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def create(self, recipe: str) -> None:
        """Make the folder and write the resolved recipe.

        Raises:
            UserError: there is a run already.
        """
        if self.recipe_path.exists():
            raise UserError(f"{self.path} already holds a run: continue it with --resume, or choose another folder")
        if self.path.exists() and any(self.path.iterdir()):
            raise UserError(f"{self.path} is not empty and not a run: choose another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        self.write("recipe.yaml", recipe)

    def exists(self) -> bool:
        return self.recipe_path.exists()

    def require(self) -> None:
        """
        Raises:
            UserError: the folder holds no run.
        """
        if not self.exists():
            raise UserError(f"{self.path} is not a run: there is no {self.recipe_path.name} in it")

    def write(self, name: str, text: str) -> None:
        """Write a file of the run atomically."""
        try:
            write_atomically(self.path / name, text.encode())
        except OSError as error:
            raise RunError(
                f"could not write {self.path / name}: {error.strerror}; free some space, then --resume"
            ) from error

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
        """The lines of metrics.jsonl; a line cut off by a crash is left out."""
        if not self.metrics_path.exists():
            return []
        records = []
        for line in self.metrics_path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return records

    def forget_after(self, iteration: int) -> None:
        """Drop the lines a resumed run is about to write again."""
        kept = [record for record in self.records() if record["iteration"] <= iteration]
        self.write(self.metrics_path.name, "".join(json.dumps(record) + "\n" for record in kept))


def plain(value: Any) -> Any:
    """``value`` with numbers JSON cannot hold (NaN, infinities) replaced by None."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
