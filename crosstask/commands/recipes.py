"""List the recipes and patches that ship with crosstask, or print one as a starting point for your own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.json_option import add_json, show

if TYPE_CHECKING:
    from rich.console import RenderableType

HELP = "list the shipped recipes and patches, or print one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="print this one instead of the list")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from crosstask.reading import read_text
    from crosstask.recipe.shipped import find_recipe, shipped_patches, shipped_recipes

    if arguments.name is not None:
        print(read_text(find_recipe(arguments.name)), end="")
        return 0
    recipes, patches = _described(shipped_recipes()), _described(shipped_patches())
    show(arguments, lambda: _listed(recipes, patches), lambda: {"recipes": recipes, "patches": patches})
    return 0


def _described(names: list[str]) -> dict[str, str]:
    """The first line of each recipe by its name."""
    from crosstask.recipe.shipped import find_recipe

    return {name: find_recipe(name).read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for name in names}


def _listed(recipes: dict[str, str], patches: dict[str, str]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    tables = []
    for title, lines in (("recipe", recipes), ("to be laid over one, as RECIPE+NAME", patches)):
        table = Table(title, "what it is", box=SIMPLE_HEAD)
        for name, line in lines.items():
            table.add_row(Text(name, no_wrap=True), Text(line))
        tables.append(table)
    return Group(*tables)
