"""Say what is labelled, what is broken and what looks mis-specified in a table, before any training.

    crosstask check data.csv                        tasks guessed from the columns
    crosstask check data.csv --recipe recipe.yaml   tasks as the recipe says
    crosstask check --recipe recipe.yaml            ... and its tables, with what it says of each

Exits with 2 when something is broken.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from crosstask.commands.engine_options import add_engine, engine
from crosstask.commands.json_option import add_json, show
from crosstask.commands.paths import require_recipe, require_table
from crosstask.commands.recipe_paths import typed_recipe
from crosstask.commands.trust import add_trust
from crosstask.errors import UserError

if TYPE_CHECKING:
    from crosstask.tasks.base import Task

HELP = "what is labelled, broken or mis-specified in a table"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", nargs="*", help="tables of files (default: those of the recipe)")
    parser.add_argument("--recipe", help="take the tasks, splits and conventions from this recipe")
    add_trust(parser)
    add_json(parser)
    add_engine(parser, default=2)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    for name in arguments.table:
        if name.endswith((".yaml", ".yml")):
            raise UserError(f"{name} is a recipe, no table: crosstask check --recipe {name}")
        require_table(name)
    if arguments.recipe is not None:
        require_recipe(arguments.recipe, "--recipe")
        typed = typed_recipe(arguments.recipe, needed="nothing" if arguments.table else "tables")
    from crosstask.commands.console_progress import progress
    from crosstask.data.check.check import check
    from crosstask.data.table.sources import alike, load_tables, readers

    if not (arguments.table or arguments.recipe):
        raise UserError("name the tables to check, or a recipe with --recipe")
    tasks, given = None, arguments.table
    options: dict[str, Any] = {}
    reading: dict[str, dict[str, Task]] = {}
    if arguments.recipe is not None:
        from crosstask.recipe import Recipe

        with typed.named():
            recipe = Recipe.of(typed.values, arguments.trust)
        data = recipe.data
        if data.table is None and not given:
            raise UserError(f"{arguments.recipe}: trains on made-up rooms, there is no table to check: name one")
        tasks, given = recipe.tasks(), alike(given, data.table) if given else data.table
        reading = readers(given, tasks)
        options = {
            "training": data.train_split,
            "validation": data.validation_split,
            "test": data.test_split,
            "confined": data.confined,
        }
    table = load_tables(given)
    with progress("checking", arguments.quiet) as report:
        found = check(table, tasks, engine=engine(arguments), readers=reading, progress=report, **options)
    show(arguments, lambda: found, found.plain)
    return 2 if found.errors else 0
