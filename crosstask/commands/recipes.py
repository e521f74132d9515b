"""List the recipes that ship with crosstask, or print one of them as a starting point for your own."""

from __future__ import annotations

import argparse

HELP = "list the shipped recipes, or print one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="print this recipe instead of the list")


def run(arguments: argparse.Namespace) -> int:
    from crosstask.errors import RecipeError, nearest
    from crosstask.recipe import SHIPPED, shipped_recipes

    if arguments.name:
        path = SHIPPED / f"{arguments.name}.yaml"
        if not path.exists():
            raise RecipeError(f"there is no recipe {arguments.name!r}; {nearest(arguments.name, shipped_recipes())}")
        print(path.read_text(encoding="utf-8"), end="")
        return 0
    for name in shipped_recipes():
        first = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:24} {first.lstrip('# ')}")
    return 0
