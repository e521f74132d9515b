"""How far several annotators of the same images agree, and one table made of theirs.

crosstask agree labels.csv
crosstask agree labels.csv --recipe mine.yaml --fuse fused.csv
crosstask agree labels.csv --fuse fused.csv --weights anna=2,ben=1
crosstask agree labels.csv --fuse fused.csv --weights estimate
crosstask agree labels.csv --fuse fused.csv --weights dawid_skene

Annotators have columns (depth@anna, depth@ben), or rows (a column annotator).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from crosstask.commands.json_option import add_json, show
from crosstask.commands.paths import require_recipe, require_table, require_table_out
from crosstask.commands.trust import add_trust
from crosstask.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

HELP = "say how far annotators agree, and fuse their labels"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table with columns or rows per annotator")
    parser.add_argument("--recipe", metavar="RECIPE", help="says what the tasks are (default: guessed from the table)")
    parser.add_argument("--fuse", metavar="TABLE", help="table to write: one label per image and task, with weights")
    parser.add_argument(
        "--weights", default="", metavar="NAME=W,... | estimate | dawid_skene",
        help="how much each annotator counts (default: 1); by how well each agrees with the others; or, of categories "
        "and tags, by who confuses what with what",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_json(parser)
    add_trust(parser)


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    if arguments.recipe is not None:
        require_recipe(arguments.recipe, "--recipe")
    for flag in ("weights", "overwrite"):
        if arguments.fuse is None and getattr(arguments, flag):
            raise UserError(f"--{flag}: is of the table that --fuse writes: give --fuse TABLE too, or leave it out")
    if arguments.fuse is not None and require_table_out(arguments.fuse, "--fuse").exists() and not arguments.overwrite:
        raise UserError(f"--fuse {arguments.fuse}: exists already: give --overwrite to replace it, or another file")
    from crosstask.annotators.agreement import agreement, estimated
    from crosstask.annotators.confusion import KINDS, Believed, believed
    from crosstask.annotators.fuse import fuse
    from crosstask.annotators.stack import stack
    from crosstask.commands.console_progress import progress
    from crosstask.data.table.infer import infer_tasks
    from crosstask.recipe import Recipe

    stacked = stack(arguments.table)
    if arguments.recipe is None:
        known = infer_tasks(stacked.table)[0]
    else:
        known = Recipe.load(arguments.recipe, trust=arguments.trust).tasks()
    tasks = {name: known[name] for name in stacked.tasks if name in known}
    if not tasks:
        raise UserError(f"{arguments.table}: no column of annotators is a task: found {', '.join(stacked.tasks)}")
    weights = _weights(arguments.weights, stacked.annotators, list(tasks))
    if arguments.weights == "dawid_skene" and not any(task.kind in KINDS for task in tasks.values()):
        raise UserError(
            "--weights dawid_skene: weighs categories and tags, and there are none: give estimate, or NAME=W"
        )
    with progress("comparing", arguments.quiet) as report:
        found = agreement(stacked, tasks, report)
    rows = [
        {"task": task, "first": first, "second": second, "entries": each.count, "numbers": each.numbers}
        for (task, first, second), each in found.items()
    ]
    said: dict[str, Any] = {"agreement": rows}
    if arguments.fuse is not None:
        if arguments.weights == "estimate":
            with progress("weighing", arguments.quiet) as report:
                weights = estimated(stacked, tasks, report)
            said["weights"] = [{"task": task, "of": name, "weight": weights[task, name]} for task, name in weights]
        known_already: dict[str, Believed] = {}
        if arguments.weights == "dawid_skene":
            with progress("weighing", arguments.quiet) as report:
                known_already = believed(stacked, tasks, report)
            said["right"] = [
                {"task": task, "of": name, "probability": right}
                for task, each in known_already.items()
                for name, right in zip(stacked.annotators, each.right.tolist(), strict=True)
                if right == right  # NaN: they say nothing of this task
            ]
        with progress("fusing", arguments.quiet) as report:
            fused = fuse(stacked, tasks, arguments.fuse, weights, report, known_already)
            said["fused"] = {"table": arguments.fuse, "images": len(fused)}
    show(arguments, lambda: _shown(said), lambda: said)
    return 0


def _shown(said: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table("task", "annotators", "measure", "value", "entries")
    for row in said["agreement"]:
        for name, number in (row["numbers"] or {"nothing in common": None}).items():
            value = "–" if number is None else f"{number:.3f}"
            table.add_row(
                *map(Text, (row["task"], f"{row['first']}, {row['second']}", name, value, f"{row['entries']:,}"))
            )
    lines = [] if said["agreement"] else ["no image has labels of one task by two annotators"]
    lines += [f"weight of {each['of']} for {each['task']}: {each['weight']:.3f}" for each in said.get("weights", [])]
    lines += [
        f"{each['task']}: {each['of']} is right with probability {each['probability']:.3f}"
        for each in said.get("right", [])
    ]
    if "fused" in said:
        lines.append(f"{said['fused']['table']}: {said['fused']['images']} images")
    return Group(
        *([table] if said["agreement"] else []), *(Text(line, no_wrap=True, overflow="ignore") for line in lines)
    )


def _weights(text: str, annotators: list[str], tasks: list[str]) -> dict[tuple[str, str], float]:
    from crosstask.errors import nearest

    weights: dict[tuple[str, str], float] = {}
    for part in text.split(",") if text not in ("", "estimate", "dawid_skene") else []:
        name, _, number = part.partition("=")
        if name not in annotators:
            raise UserError(f"--weights {part}: there is no annotator {name!r}; {nearest(name, annotators)}")
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not 0 < weight <= 1e6:
            raise UserError(f"--weights {part}: a weight is a number above 0, as in {name}=2")
        weights |= {(task, name): weight for task in tasks}
    return weights
