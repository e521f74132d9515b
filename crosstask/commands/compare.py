"""Train methods x label settings x seeds as ordinary runs in one folder, and tabulate what each method is worth.

    crosstask compare demo --objectives supervised,pairwise --labels one,full --seeds 0,1,2 --out runs/rooms
    crosstask compare mine.yaml --objectives single,pairwise+region_contrast,patch.yaml --labels fraction:0.05,0.1,0.2,1

Finished runs are skipped and interrupted ones are continued: the same command goes on after Ctrl-C, and can ask for
more seeds or methods. An entry of --objectives is an objective, several joined by +, 'single' (a network per task), or
a YAML file laid over the recipe; 'supervised' is always among them. Dotted flags override anything in the recipe.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.engine_options import add_on
from crosstask.commands.json_option import add_json, show
from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_out
from crosstask.commands.recipe_paths import typed_recipe
from crosstask.commands.trust import add_trust

if TYPE_CHECKING:
    from rich.console import RenderableType

    from crosstask.compare.comparison import Comparison
    from crosstask.compare.grid import Cell, Grid, Recipes

HELP = "train a grid of methods, label settings and seeds, and tabulate it"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="recipe file or name of a shipped recipe")
    parser.add_argument("--objectives", required=True, metavar="A,B,...", help="the methods to compare")
    parser.add_argument("--labels", metavar="L,L,...", help="label settings (default: the recipe's)")
    parser.add_argument("--seeds", default="0,1,2", metavar="K,K,...", help="seeds (default: 0,1,2)")
    parser.add_argument("--out", metavar="FOLDER", help="folder of the comparison (default: runs/compare_RECIPE)")
    parser.add_argument("--jobs", type=whole(1, 1024), default=1, metavar="N", help="runs at once (default: 1)")
    parser.add_argument(
        "--align-first",
        action="store_true",
        help="train supervised first, and leave out what does not agree with the hidden labels (see crosstask align)",
    )
    add_on(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--dry-run", action="store_true", help="say what would be trained, and stop; writes nothing")
    add_trust(parser)
    add_json(parser)
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    typed = typed_recipe(arguments.recipe, arguments.overrides)
    base = typed.values
    if arguments.out is not None:
        require_out(arguments.out, folder=True)
    import shlex
    import sys
    from pathlib import Path

    from crosstask.claims import in_turn
    from crosstask.commands.jobs import do_jobs, tell_end
    from crosstask.compare.comparison import compare
    from crosstask.compare.grid import Grid, Recipes
    from crosstask.compare.plan import check, plan, states
    from crosstask.compare.promising import references
    from crosstask.compare.tables import contents, write_tables
    from crosstask.engine import Engine
    from crosstask.entries import parse_labels, parse_methods, parse_seeds
    from crosstask.errors import RecipeError

    if arguments.jobs < 1:
        raise RecipeError(f"--jobs: expected 1 or more, found {arguments.jobs}")
    Engine(arguments.on)
    path = Path(arguments.out or Path("runs") / f"compare_{Path(arguments.recipe).stem}")
    labels = (
        parse_labels(arguments.labels)
        if arguments.labels is not None
        else [(base.get("data") or {}).get("labels", "full")]
    )
    for word in arguments.overrides:
        if word.split("=")[0] in ("--training.seed", "--data.labels_seed"):
            raise RecipeError(f"{word}: the seeds of a comparison draw both: give --seeds, 3,4,5 say")
    command = shlex.join(["crosstask", "compare", arguments.recipe, *arguments.overrides])
    asked = Grid.product(path, parse_methods(arguments.objectives, base), labels, parse_seeds(arguments.seeds), command)
    with typed.named():
        recipes = Recipes(base, asked, arguments.trust)
    cells = asked.cells
    if recipes.told and not arguments.quiet:
        print(recipes.told, file=sys.stderr)
    recipes.record(writes=False)
    check(recipes, cells, writes=False)  # nothing is written of what cannot be
    if not arguments.dry_run:
        recipes.record()
        check(recipes, cells)
    if arguments.dry_run:
        listed = states(recipes, cells)
        show(arguments, lambda: _listed(listed), lambda: listed)
        return 0
    with in_turn(path / ".grid.lock"):  # several may add to a comparison at once
        whole = asked.joined(Grid.load(path)) if (path / "grid.json").exists() else asked
        compare(whole)  # what is finished can be read
        whole.save()
    if arguments.align_first:
        first = references(asked)
        ended = do_jobs(jobs := plan(recipes, first), arguments.jobs, arguments.quiet, arguments.on)
        if any(each.status != "finished" for each in ended) or len(ended) < len(jobs):
            return tell_end(jobs, ended)
        cells = _promising(recipes, first, arguments).cells
    ended = do_jobs(jobs := plan(recipes, cells), arguments.jobs, arguments.quiet, arguments.on)
    comparison = compare(whole)
    if comparison.scores:
        wrote = write_tables(comparison, path)
        show(arguments, lambda: _tables(comparison), lambda: contents(comparison))
        print("wrote", *wrote, file=sys.stderr if arguments.json else sys.stdout)
    return tell_end(jobs, ended)


def _promising(recipes: Recipes, first: list[Cell], arguments: argparse.Namespace) -> Grid:
    """The grid without the methods that agree with no label hidden from the supervised runs; says why."""
    import sys

    from crosstask.alignment.table import statements
    from crosstask.commands.console_progress import progress
    from crosstask.compare.promising import align_grid, promising

    rows = []
    told = sys.stderr if arguments.json else sys.stdout
    for cell in first:
        with progress(f"aligning, labels {cell.labels}", arguments.quiet) as report:
            found = align_grid(recipes, cell, report)
        for line in statements(found):
            print(f"labels {cell.labels}: {line}", file=told)
        rows += found
    grid = promising(recipes.grid, rows)
    left_out = [name for name in recipes.grid.methods if name not in grid.methods]
    print("left out:", ", ".join(left_out) or "nothing", file=told)
    return grid


def _tables(comparison: Comparison) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from crosstask.compare.cells import label_settings, overview
    from crosstask.compare.statements import statements

    parts: list[RenderableType] = []
    for labels in label_settings(comparison):
        header, rows = overview(comparison, labels)
        table = Table(title=f"labels {labels}, mean ± sd over seeds")
        for column in header:
            table.add_column(column, no_wrap=column == "method", overflow="fold")
        for row in rows:
            table.add_row(*row)
        parts.append(table)
    return Group(*parts, *(Text(f"- {line}") for line in statements(comparison)))


def _listed(runs: list[dict[str, str]]) -> RenderableType:
    from rich.table import Table

    to_do = sum(each["to do"] != "nothing" for each in runs)
    table = Table(*runs[0], title=f"{len(runs)} runs, {to_do} of them to be trained", title_justify="left")
    for each in runs:
        table.add_row(*each.values())
    return table
