"""Say what is labelled, what is broken and what looks mis-specified in a table, before any training.

    crosstask check data.csv                        tasks guessed from the columns
    crosstask check data.csv --recipe recipe.yaml   tasks as the recipe says

Exits with 2 when something is broken.
"""

from __future__ import annotations

import argparse

from crosstask.commands.trust import add_trust

HELP = "what is labelled, broken or mis-specified in a table"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("--recipe", help="take the tasks from this recipe")
    add_trust(parser)
    parser.add_argument("--workers", type=int, default=2, help="processes that open files (default: 2)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from crosstask.commands.console_progress import progress
    from crosstask.data.check.check import check
    from crosstask.data.check.report import render
    from crosstask.data.table.table import read_table

    tasks, training = None, "train"
    if arguments.recipe:
        from crosstask.recipe import Recipe

        recipe = Recipe.load(arguments.recipe, ["--data.table", arguments.table], arguments.trust)
        tasks, training = recipe.tasks(), recipe.data.train_split
    with progress("checking", arguments.quiet) as report:
        found = check(read_table(arguments.table), tasks, training=training, workers=arguments.workers, progress=report)
    Console().print(render(found))
    return 2 if found.errors else 0
