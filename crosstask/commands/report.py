"""Write one HTML file about a run, a comparison or a refinement: numbers, curves, pictures side by side, settings.

crosstask report runs/one
crosstask report runs/compare_demo --out page.html
crosstask report runs/rooms_tags              the rounds of a refinement
crosstask report runs/one runs/other          runs side by side

The file needs no other file and no network: open it, or send it to somebody.
"""

from __future__ import annotations

import argparse

from crosstask.commands.paths import require_folder, require_out
from crosstask.commands.recipe_paths import typed_recipe
from crosstask.commands.trust import add_trust

HELP = "write one HTML file about a run, a comparison or a refinement"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="FOLDER",
        nargs="+",
        help="run directory, or the folder of a comparison or a refinement; several runs are put side by side",
    )
    parser.add_argument("--out", metavar="FILE", help="the page (default: report.html in the folder)")
    add_trust(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.out is not None:
        require_out(arguments.out)
    for path in arguments.paths:
        folder = require_folder(path)
        if (folder / "recipe.yaml").is_file():
            typed_recipe(folder / "recipe.yaml", needed="tables")
    from crosstask.report.page import write_report

    print(f"wrote {write_report(arguments.paths, arguments.out, arguments.trust)}: open it in a browser")
    return 0
