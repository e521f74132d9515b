"""Count how the classes of one task are related to those of another, where rows have labels of both.

crosstask relate data.csv --of category --to tags --out r.csv
crosstask relate data.csv --of category --to tags --out r.csv --min-support 10 --floor 0.05

Writes r.csv (a row per class), r.png (a heat map) and r_support.csv (intervals and the number of samples behind each
cell). The table is what the coupling objectives take as relatedness.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from crosstask.commands.paths import require_out, require_recipe, require_table
from crosstask.commands.trust import add_trust
from crosstask.errors import RecipeError, UserError, nearest

if TYPE_CHECKING:
    from crosstask.data.table.table import Table
    from crosstask.tasks.base import Task

HELP = "count how the classes of two tasks are related"
COUNTING = {
    "min_support": (int, "least number of samples a cell is estimated from, others are unknown (default: 5)"),
    "smoothing": (float, "made-up samples added with and without each attribute (default: 1, Laplace's rule)"),
    "floor": (float, "estimates below become 0, not related (default: 0)"),
    "level": (float, "level of the confidence intervals (default: 0.95)"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files with labels of both tasks")
    parser.add_argument("--of", required=True, metavar="TASK", help="column of the categories")
    parser.add_argument("--to", required=True, metavar="TASK", help="column of the tags, categories or scalars")
    parser.add_argument("--out", required=True, metavar="CSV", help="table to write")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--recipe", help="recipe that names the classes (default: those found in the table)")
    add_trust(parser)
    parser.add_argument("--split", default="train", help="rows to count, if the table has splits (default: train)")
    for name, (kind, text) in COUNTING.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=argparse.SUPPRESS, metavar="NUMBER", help=text)


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    out = require_out(arguments.out)
    if out.suffix.lower() != ".csv":
        ending = repr(out.suffix) if out.suffix else "a name without an ending"
        raise UserError(f"--out {out}: found {ending}: give a path that ends in .csv, a picture is written beside it")
    files = [out, out.with_suffix(".png"), out.with_name(f"{out.stem}_support.csv")]
    _require_free(files, arguments.table, arguments.overwrite)
    if arguments.recipe is not None:
        require_recipe(arguments.recipe, "--recipe")
    from crosstask.construct import construct
    from crosstask.data.table.table import read_table
    from crosstask.relatedness import RelateOptions, infer, write_relatedness
    from crosstask.relatedness.picture import save_heat_map

    given = {name: getattr(arguments, name) for name in COUNTING if hasattr(arguments, name)}
    try:
        options = construct(RelateOptions, given, "relate")
    except RecipeError as error:  # names an option of Python
        raise UserError(re.sub(r"relate\.(\w+)", lambda name: f"--{name[1].replace('_', '-')}", str(error))) from error
    table = read_table(arguments.table)
    of, to = _tasks(arguments, table)  # classes of all rows, as crosstask start lists them
    found = infer(table.select(arguments.split if table.splits else None), of, to, options)
    write_relatedness(found.table, out)
    save_heat_map(found.table, files[1], f"{to.name} given {of.name}, {found.samples} samples")
    found.write_support(files[2])
    unknown = int(found.table.values.isnan().sum())
    print(
        f"wrote {files[0]}, {files[1]} and {files[2]}: {len(found.table.classes)} classes, "
        f"{len(found.table.attributes)} attributes, from {found.samples} rows with both labels"
        + (f"; {unknown} cells unknown (fewer than {options.min_support} samples)" if unknown else "")
    )
    return 0


def _require_free(files: list[Path], table: str, overwrite: bool) -> None:
    """
    Raises:
        UserError: a file that would be written is there already, or is the table itself.
    """
    for file in files:
        if file.resolve() == Path(table).resolve():
            raise UserError(f"--out {files[0]}: would write over the table {table}: give another path")
        if file.exists() and not overwrite:
            raise UserError(f"--out {files[0]}: {file} is there already: give another, or --overwrite to replace it")


def _tasks(arguments: argparse.Namespace, table: Table) -> list[Task]:
    """The two tasks, of the recipe or guessed from their columns."""
    from dataclasses import replace

    from crosstask.data.table.infer import infer_tasks
    from crosstask.recipe import Recipe

    wanted = {"--of": arguments.of, "--to": arguments.to}
    for flag, name in wanted.items():
        if name not in table.columns:
            raise UserError(f"{flag}: {table.path} has no column {name!r}: {nearest(name, table.columns)}")
    if arguments.recipe is not None:
        tasks = Recipe.load(arguments.recipe, trust=arguments.trust).tasks()
    else:
        tasks, _ = infer_tasks(replace(table, columns=("id", "image", *wanted.values())))
    for flag, name in wanted.items():
        if name not in tasks:
            raise UserError(f"{flag}: {name!r} is no task of categories, tags or scalars: {nearest(name, tasks)}")
    return [tasks[name] for name in wanted.values()]
