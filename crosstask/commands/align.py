"""Which objective will help? Compares its gradient with that of the labels that were hidden from a trained run.

    crosstask align runs/one --objectives geometry,pairwise,mean_teacher
    crosstask align runs/one --objectives region_contrast,mine.yaml --data.table with_regions.csv --data.regions true

Takes a minute or two, on training images only. The run must have been trained on fewer labels than there are
(data.labels one, random or fraction:P). Entries of --objectives are those of 'crosstask compare'; dotted flags override
the recipe.
"""

from __future__ import annotations

import argparse

from crosstask.commands.json_option import add_json, show
from crosstask.commands.numbers import whole
from crosstask.commands.recipe_paths import require_run_and_data
from crosstask.commands.trust import add_trust

HELP = "measure which objectives agree with the labels hidden from a run"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="RUN", help="run directory")
    parser.add_argument("--objectives", required=True, metavar="A,B,...", help="the methods to align")
    parser.add_argument("--weights", choices=("best", "last"), help="checkpoint (default: best where there is one)")
    parser.add_argument(
        "--batches", type=whole(2, 100_000), default=12, metavar="N", help="batches to measure on (default: 12)"
    )
    parser.add_argument(
        "--fit",
        type=whole(0, 1_000_000),
        default=50,
        metavar="N",
        help="steps for what objectives learn themselves (default: 50)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    add_trust(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    require_run_and_data(arguments.path)
    import json

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from crosstask.alignment.align import align
    from crosstask.alignment.recipes import aligned_recipes
    from crosstask.alignment.table import EXPLANATION, FILE, cells, statements, to_json
    from crosstask.commands.console_progress import progress
    from crosstask.commands.evaluation_options import device
    from crosstask.trained import load_run

    trained = load_run(arguments.path, arguments.weights, arguments.trust)
    recipes = aligned_recipes(trained.recipe, arguments.objectives, arguments.overrides)
    with progress("aligning", arguments.quiet) as report:
        rows = align(
            trained.network,
            recipes,
            batches=arguments.batches,
            fit=arguments.fit,
            device=device(arguments.device),
            progress=report,
        )
    header, lines = cells(rows)
    table = Table(*header, title=f"alignment of {arguments.path}", caption=EXPLANATION)
    for line in lines:
        table.add_row(*line)
    settings = {"weights": trained.weights, "batches": arguments.batches, "fit": arguments.fit}
    text = to_json(rows, settings)
    said = statements(rows)
    show(arguments, lambda: Group(table, *map(Text, said)), lambda: json.loads(text) | {"statements": said})
    trained.run.write(FILE, text)
    return 0
