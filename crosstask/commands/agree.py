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

from crosstask.commands.paths import require_out, require_table
from crosstask.commands.trust import add_trust
from crosstask.errors import UserError

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
    add_trust(parser)


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    if arguments.fuse is not None and require_out(arguments.fuse, "--fuse").exists() and not arguments.overwrite:
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
    for (task, first, second), each in found.items():
        numbers = ", ".join(f"{name} {number:.3f}" for name, number in each.numbers.items()) or "nothing in common"
        print(f"{task}: {first}, {second}: {numbers} ({each.count:,} entries)")
    if not found:
        print("no image has labels of one task by two annotators")
    if arguments.fuse is None:
        return 0
    if arguments.weights == "estimate":
        with progress("weighing", arguments.quiet) as report:
            weights = estimated(stacked, tasks, report)
        for (task, name), weight in weights.items():
            print(f"weight of {name} for {task}: {weight:.3f}")
    known_already: dict[str, Believed] = {}
    if arguments.weights == "dawid_skene":
        with progress("weighing", arguments.quiet) as report:
            known_already = believed(stacked, tasks, report)
        for task, each in known_already.items():
            for name, right in zip(stacked.annotators, each.right.tolist(), strict=True):
                print(f"{task}: {name} is right with probability {right:.3f}")
    with progress("fusing", arguments.quiet) as report:
        table = fuse(stacked, tasks, arguments.fuse, weights, report, known_already)
    print(f"{arguments.fuse}: {len(table)} images")
    return 0


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
