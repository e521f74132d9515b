"""Make the regions of every image of a table, and a table with a column for them.

    crosstask regions data.csv --by slic --segments 100
    crosstask regions nyuv2.csv --by given --column semantic --recipe nyuv2_npy
    crosstask regions data.csv --by sam --checkpoint facebook/sam-vit-base --on ray

Files that are there, made from the same image with the same parameters, are kept: an interrupted command goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from crosstask.commands.engine_options import add_engine, engine
from crosstask.commands.paths import require_out, require_recipe, require_table, require_table_out
from crosstask.commands.trust import add_trust

HELP = "make superpixel or SAM regions of a table's images"
NAMES = ("slic", "felzenszwalb", "grid", "sam", "given")
SHOWN = (
    "regions made of the labels in {column} show the masks of every image: train on them with data.labels: full, other "
    "label protocols hide these masks"
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("--by", choices=NAMES, default="slic", help="what makes the regions (default: slic)")
    parser.add_argument("--out", metavar="FOLDER", help="folder of the region files (default: regions/NAME)")
    parser.add_argument("--write", metavar="TABLE", help="table with the regions (default: TABLE_regions.csv)")
    parser.add_argument(
        "--recipe", metavar="RECIPE", help="with --by given: read the column as its task of that name does"
    )
    add_engine(parser)
    add_trust(parser)
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    if arguments.out is not None:
        require_out(arguments.out, folder=True)
    if arguments.recipe is not None:
        require_recipe(arguments.recipe, "--recipe")
    if arguments.write is not None:
        require_table_out(arguments.write, "--write")
    from crosstask.commands.console_progress import progress
    from crosstask.construct import construct
    from crosstask.data.table.regions_column import add_regions
    from crosstask.recipe.written import parse_overrides
    from crosstask.regions import PROVIDERS

    options = parse_overrides(arguments.overrides)
    if arguments.recipe is not None:
        options = _conventions(arguments.recipe, arguments.by, options, arguments.trust) | options
    provider = construct(PROVIDERS[arguments.by], options, f"regions by {arguments.by}")
    if arguments.by == "given":
        print(f"warning: {SHOWN.format(column=provider.source)}", file=sys.stderr)
    with progress(f"regions by {arguments.by}") as report:
        done = add_regions(
            arguments.table,
            provider,
            out=arguments.out,
            table_out=arguments.write,
            engine=engine(arguments),
            progress=lambda state: report(state.done, state.total),
        )
    print(f"made {done.made}, kept {done.kept} in {done.folder}; wrote {done.table}")
    return 0


def _conventions(recipe: str, by: str, options: Mapping[str, Any], trust: bool) -> dict[str, Any]:
    """How the recipe's task reads the column: which ids are unknown, and what others stand for."""
    from crosstask.errors import RecipeError, nearest
    from crosstask.recipe import Recipe
    from crosstask.tasks import Segmentation

    if by != "given":
        raise RecipeError(f"regions --recipe: only regions by given read labels, found --by {by}: leave it out")
    known = Recipe.load(recipe, trust=trust).tasks()
    tasks = {name: task for name, task in known.items() if isinstance(task, Segmentation)}
    column = str(options.get("column", ""))
    if column not in tasks:
        raise RecipeError(f"regions --column: {recipe} has no segmentation task {column!r}; {nearest(column, tasks)}")
    task = tasks[column]
    if task.colours is not None:
        raise RecipeError(
            f"regions --recipe: {recipe} reads {column!r} by colours, which regions do not: convert the files to ids"
        )
    if task.remap is not None:
        return {"remap": task.remap}
    if task.offset or len(task.ignored) > 1:
        return {"remap": {index + task.offset: index for index in range(task.channels)}}
    return {"none": task.ignored[0]} if task.ignored else {}
