"""Which labels look wrong? Lists those that a network, another task or a near-duplicate contradicts.

    crosstask audit runs/mine
    crosstask audit runs/mine --folds 3 --training.iterations 500
    crosstask audit runs/mine --split test --tasks semantic

Without --folds the run judges the labels it was trained on, which is quick and finds what it did not learn by heart.
With --folds K its recipe is trained K times, each time without the labels that are then judged; dotted flags make these
trainings smaller. Writes RUN/audit: audit.csv with every label, the most suspicious first, and audit.html with
pictures. Interrupted, the same command goes on where it was.
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options
from crosstask.commands.json_option import add_json, show
from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_out
from crosstask.commands.recipe_paths import require_run_and_data

HELP = "list labels that look wrong"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_run_options(parser)
    parser.add_argument(
        "--folds", type=whole(2, 100), metavar="K", help="train K networks that judge what they never saw"
    )
    parser.add_argument("--split", help="audit the labels of this split (default: those of training)")
    parser.add_argument("--tasks", metavar="A,B,...", help="whose labels (default: all)")
    parser.add_argument(
        "--show", type=whole(0, 1000), default=40, metavar="N", help="labels with pictures (default: 40)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="folder to write into (default: RUN/audit)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    """Audit, and print the most suspicious labels."""
    path = require_run_and_data(arguments.path)
    folder = path / "audit" if arguments.out is None else require_out(arguments.out, folder=True)
    import sys
    from dataclasses import asdict

    import numpy as np
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from crosstask.audit.audit import PASS, audit
    from crosstask.audit.files import CSV, PAGE, write_csv
    from crosstask.audit.folds import Interrupted, train_folds
    from crosstask.audit.page import write_page
    from crosstask.commands.console_progress import progress
    from crosstask.commands.evaluation_options import device
    from crosstask.data.sample import collate
    from crosstask.errors import RunError, UserError
    from crosstask.trained import load_run

    if arguments.folds is not None and arguments.split is not None:
        raise UserError(
            "--folds trains on what is audited: leave out --split, which names what the run did not train on"
        )
    if arguments.overrides and arguments.folds is None:
        raise UserError(f"{arguments.overrides[0]}: flags change the trainings of --folds K: give that too")
    trained = load_run(path, arguments.weights, arguments.trust)
    data = trained.splits.train if arguments.split is None else trained.evaluation_data(arguments.split)[0]
    judges, folds = [trained], np.zeros(len(data), dtype=int)
    if arguments.folds is not None:
        try:
            judges, folds = train_folds(
                trained, arguments.folds, folder / "folds", arguments.overrides, arguments.quiet
            )
        except (Interrupted, KeyboardInterrupt):
            print("interrupted; the same command goes on where it was", file=sys.stderr)
            return 130
    with progress("looking at labels", arguments.quiet) as report:
        audited = audit(
            judges,
            data,
            folds,
            folder / PASS,
            tasks=arguments.tasks.split(",") if arguments.tasks is not None else None,
            device=device(arguments.device),
            progress=report,
        )
    top = audited.suspects[: arguments.show]
    said = [(each, audited.words(each, collate([audited.data[each.index]]))) for each in top]
    try:
        write_csv(folder / CSV, audited, {(each.id, each.task): words for each, words in said})
        write_page(folder / PAGE, audited, said, f"Labels of {path.name} that look wrong")
    except OSError as error:
        raise RunError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from error

    def shown() -> Group:
        table = Table("", "image", "task", "suspicion", "why")
        for place, (each, words) in enumerate(said[:20], 1):
            table.add_row(str(place), Text(each.id), each.task, f"{each.suspicion:.1f}", Text(words))
        count = len(audited.suspects)
        return Group(
            table, Text(f"{count} labels, the most suspicious first: {folder / CSV}; pictures: {folder / PAGE}")
        )

    show(arguments, shown, lambda: {"suspects": [asdict(each) | {"words": words} for each, words in said],
                                    "labels": len(audited.suspects)})  # fmt: skip
    return 0
