"""List the recipes and patches that ship with crosstask, or print one as a starting point for your own."""

from __future__ import annotations

import argparse

HELP = "list the shipped recipes and patches, or print one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="print this one instead of the list")


def run(arguments: argparse.Namespace) -> int:
    from crosstask.recipe.shipped import find_recipe, shipped_patches, shipped_recipes

    if arguments.name is not None:
        print(find_recipe(arguments.name).read_text(encoding="utf-8"), end="")
        return 0
    _list(shipped_recipes())
    print("\nto be laid over a recipe, as RECIPE+NAME:")
    _list(shipped_patches())
    return 0


def _list(names: list[str]) -> None:
    from crosstask.recipe.shipped import find_recipe

    for name in names:
        first = find_recipe(name).read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:32} {first.lstrip('# ')}")
