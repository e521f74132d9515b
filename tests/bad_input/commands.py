"""Commands that fail: one clear line and exit code 2 (1 for a fault while running), no traceback."""

from __future__ import annotations

import csv
from pathlib import Path

from crosstask.cli import main
from tests.tiny import write_recipe


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
