"""Train, label the training images, train again on these labels: in rounds, for any task.

    crosstask refine nyuv2_rounds --rounds 2 --out runs/rounds
    crosstask refine recipe.yaml --refine.teachers.depth depth-anything/Depth-Anything-V2-Small-hf

Or segmentation from image tags:

    crosstask refine tags.yaml --rounds 4 --out runs/tags
    crosstask refine tags.yaml --out runs/tags --refine.saliency_from runs/horses --refine.masks semantic
    crosstask refine --resume runs/tags

Each round is an ordinary run in its own folder, each set of pseudo-labels an ordinary table.
"""

from __future__ import annotations

import argparse
import shlex

from crosstask.commands.engine_options import add_engine
from crosstask.commands.json_option import add_json, show
from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_out
from crosstask.commands.recipe_paths import Needed, typed_recipe
from crosstask.commands.trust import add_trust
from crosstask.folders import kind_of, require_kind

HELP = "label the training images and train again, in rounds; segmentation from tags"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", help="recipe file or name of a shipped recipe")
    parser.add_argument("--out", metavar="FOLDER", help="folder of the rounds (default: runs/RECIPE)")
    parser.add_argument(
        "--rounds", type=whole(0, 1000), help="how often images are labelled anew (default: refine.rounds)"
    )
    parser.add_argument("--resume", metavar="FOLDER", help="continue where this folder was left")
    parser.add_argument("--anyway", action="store_true", help="continue even where data or recipe changed since")
    parser.add_argument("--device", default="auto", help="where images are labelled: cpu, cuda, mps or auto (default)")
    parser.add_argument(
        "--print_config", "--print-config", action="store_true", help="print the resolved recipe and stop"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_engine(parser, what="0; on a cluster, what it has")
    add_json(parser)
    add_trust(parser)
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from crosstask.errors import RecipeError, UserError

    if (arguments.recipe is None) == (arguments.resume is None):
        raise RecipeError("give a recipe to refine, or --resume FOLDER to continue (not both)")
    if arguments.resume is not None and (arguments.overrides or arguments.rounds is not None):
        raise RecipeError("--resume continues the recipe as it was: leave out --rounds and all overrides")
    if arguments.recipe is not None:
        rounds = [] if arguments.rounds is None else ["--refine.rounds", str(arguments.rounds)]
        needed: Needed = "nothing" if arguments.print_config else "all"
        typed = typed_recipe(arguments.recipe, [*arguments.overrides, *rounds], needed)
    resumed = arguments.resume
    if resumed is not None and not (resumed and (Path(resumed) / "recipe.yaml").is_file()):
        raise UserError(f"{arguments.resume!r} holds no refinement: there is no recipe.yaml in it")
    if resumed:
        require_kind(Path(resumed), "refinement")
    if resumed and kind_of(Path(resumed)) is None:
        raise UserError(
            f"{resumed!r} holds no refinement: no rounds were begun beside its recipe.yaml: give its folder"
        )
    if resumed:
        typed_recipe(Path(resumed) / "recipe.yaml", needed="tables")
    if arguments.out is not None:
        require_out(arguments.out, folder=True)
    import sys
    from functools import partial

    from rich.console import Console

    from crosstask.commands.console_progress import progress
    from crosstask.commands.engine_options import network_engine
    from crosstask.commands.evaluation_options import device
    from crosstask.recipe import Recipe
    from crosstask.rounds.layout import Layout
    from crosstask.rounds.plans import plan
    from crosstask.rounds.steps import Interrupted, Means
    from crosstask.training.arithmetic import settled

    folder = arguments.out or Path("runs") / Path(arguments.recipe or "").stem
    layout = Layout(Path(folder if arguments.resume is None else arguments.resume))
    if arguments.resume is not None:
        recipe = layout.load(arguments.trust)
        layout.require_unchanged(recipe, arguments.anyway)
    else:
        with typed.named():
            recipe = Recipe.of(typed.values, arguments.trust)
        if arguments.print_config:
            print(recipe.to_yaml(), end="")
            return 0
        recipe, told = settled(recipe, layout.recipe)
        if told and not arguments.quiet:
            print(told, file=sys.stderr)
    on = network_engine(arguments)
    bar = partial(progress, quiet=arguments.quiet)
    say = Console(stderr=True, quiet=arguments.quiet, highlight=False, markup=False).print
    means = Means(device(arguments.device), arguments.quiet, bar, say, on, arguments.anyway)
    refinement = plan(recipe)(recipe, layout, means)
    if arguments.resume is None:
        layout.begin(recipe)
    try:
        record = refinement.run()
    except (Interrupted, KeyboardInterrupt):
        print(
            f"interrupted; continue with: crosstask refine --resume {shlex.quote(str(layout.folder))}", file=sys.stderr
        )
        return 130
    show(arguments, record.table, lambda: {"status": record.status, "rounds": record.rounds})
    if arguments.json:
        return 0
    print(f"{record.total_steps} optimiser steps in all, of {len(record.steps)} trainings")
    if record.status == "unchanged":
        print(f"the pseudo-labels no longer change; {layout.round(len(record.rounds) - 2)} is the last round")
    return 0
