"""List the runs in a folder and below: what state each is in, how far it came, and how good it is.

    crosstask runs                the runs in runs/
    crosstask runs runs/grid      those of a comparison
    crosstask runs --json         for programs

Scores are those of crosstask eval where a run was measured, else those of its best validation.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.json_option import add_json, show
from crosstask.commands.paths import require_folder

if TYPE_CHECKING:
    from rich.table import Table

    from crosstask.training.listing import RunState

HELP = "list runs with their state and score"
COLOURS = {"finished": "green", "stopped early": "green", "running": "cyan", "failed": "red", "killed": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="runs", help="folder of runs (default: runs)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    folder = require_folder(arguments.folder)
    from dataclasses import asdict

    from crosstask.training.listing import find_runs

    found = find_runs(folder)
    if not found and not arguments.json:
        print(f"there is no run in {folder}: train one with crosstask train RECIPE --out {folder}/NAME")
        return 0
    show(arguments, lambda: _table(found), lambda: [asdict(each) for each in found])
    return 0


def _table(runs: list[RunState]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "state", "iteration", "score", "on", "changed")
    for each in runs:
        colour = COLOURS.get(each.state, "yellow")
        scores = ", ".join(
            f"{name} {'n/a' if value is None else f'{value:.3f}'}" for name, value in each.scores.items()
        )
        table.add_row(
            escape(each.path),
            f"[{colour}]{each.state}[/{colour}]" + (f"\n{escape(each.reason)}" if each.reason else ""),
            f"{each.iteration} of {each.iterations or '?'}",
            escape(scores) or "–",
            escape(each.measured),
            f"{each.age} ago",
        )
    return table
