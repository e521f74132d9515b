"""Train a recipe (a YAML file, or the name of a shipped recipe) into a run directory.

Anything in the recipe can be overridden with dotted flags:

    crosstask train recipe.yaml --out runs/one --training.epochs 5 --data.labels one --objectives supervised
    crosstask train --resume runs/one
    crosstask train --resume runs/one --training.iterations 20000       # train it for longer
    crosstask train recipe.yaml --out runs/one --resume auto            # continue it, or begin it: for schedulers
"""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from crosstask.commands.paths import require_out, require_run
from crosstask.commands.recipe_paths import Needed, typed_recipe
from crosstask.commands.trust import add_trust

if TYPE_CHECKING:
    from crosstask.training.launch import Resume

HELP = "train a recipe into a run directory, or continue one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", help="recipe file or name of a shipped recipe")
    parser.add_argument("--out", metavar="RUN", help="run directory (default: runs/RECIPE)")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="continue this run where its last checkpoint is; auto: continue --out where it has one",
    )
    parser.add_argument("--anyway", action="store_true", help="continue even where data or recipe changed since")
    parser.add_argument(
        "--print_config", "--print-config", action="store_true", help="print the resolved recipe and stop"
    )
    parser.add_argument("--options", action="store_true", help="list every key a recipe may have, and stop")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_trust(parser)
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from crosstask.errors import RecipeError, UserError

    if arguments.options:
        from crosstask.recipe.option_help import option_help

        print(option_help())
        return 0
    auto = arguments.resume == "auto"
    if (arguments.recipe is None) == (arguments.resume is None or auto):
        raise RecipeError("give a recipe to train, or --resume RUN to continue one (not both)")

    resume: Resume = "yes" if arguments.recipe is None else "auto" if auto else "no"
    source = require_run(arguments.resume) / "recipe.yaml" if arguments.recipe is None else arguments.recipe
    needed: Needed = "nothing" if arguments.print_config else "tables" if resume == "yes" else "all"
    typed = typed_recipe(source, arguments.overrides, needed)
    default = f"runs/{Path(source).stem}" if arguments.out is None else arguments.out
    out = require_out(arguments.resume if resume == "yes" else default, folder=True)
    if resume == "no" and not arguments.print_config and (out / "checkpoints/last").exists():
        raise UserError(f"{out} already holds a run: continue it with --resume, or choose another folder")

    from crosstask.experiment import Experiment
    from crosstask.recipe import Recipe
    from crosstask.training.requeue import requeue

    with typed.named():
        recipe = Recipe.of(typed.values, arguments.trust)
    if arguments.print_config:
        print(recipe.to_yaml(), end="")
        return 0
    experiment = Experiment(recipe, out, arguments.quiet, resume, arguments.anyway)
    outcome = experiment.fit()
    where = shlex.quote(str(experiment.run.path))
    if not experiment.main_process:
        return 0
    if outcome.requeue:
        requeue()
    if outcome.status == "interrupted":
        print(f"interrupted after iteration {outcome.iteration}; continue with: crosstask train --resume {where}")
        return 130
    chosen = "" if outcome.best_iteration is None else f", best at iteration {outcome.best_iteration}"
    said = f"{outcome.status} at iteration {outcome.iteration}{chosen}"
    splits = experiment.plan.splits
    if splits.test is not None:
        said += f"; measure it with: crosstask eval {where}"
    elif splits.validation is not None:
        said += f"; measure it with: crosstask eval {where} --split val (there is no test split)"
    print(said)
    return 0
