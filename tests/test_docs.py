"""What README and docs tell people to type is understood: commands, flags, shipped recipes and their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from crosstask.cli import parser, separate
from crosstask.entries import parse_labels, parse_methods, parse_seeds
from crosstask.recipe import Recipe
from crosstask.recipe.written import read_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[str]:
    """The lines of code that begin with ``crosstask``, continued lines joined, remarks left out."""
    found = []
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
        lines = re.findall(r"^(?: {4})?(crosstask .+)$", text, re.M)
        found += [re.sub(r"\s+[#>] .*", "", line) for line in lines]
    return sorted(set(found))


COMMANDS = commands()


def test_there_are_commands():
    assert {command.split()[1] for command in COMMANDS} >= {"table", "check", "train", "eval", "predict", "compare"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_is_understood(command):
    _, *typed = shlex.split(command)
    top, each = parser()
    chosen = each[typed[0]]
    overrides: list[str] = []
    if chosen.get_default("takes_overrides"):
        typed, overrides = separate(typed, set(chosen._option_string_actions))
    known = top.parse_args(typed)
    recipe = getattr(known, "recipe", None)
    if known.command in ("train", "refine", "compare") and recipe and _is_here(recipe):
        read = read_recipe(_placed(recipe), overrides)
        Recipe.load(_placed(recipe), overrides)
        if known.command == "compare":
            entries = [
                entry
                for entry in known.objectives.split(",")
                if not entry.endswith(".yaml") or (ROOT / entry).is_file()
            ]
            assert parse_methods(",".join(map(_placed, entries)), read)
            assert parse_seeds(known.seeds)
            assert not known.labels or parse_labels(known.labels)


def _is_here(recipe: str) -> bool:
    """Whether it is ours: not a file that the reader writes."""
    return not recipe.startswith(("mine.yaml", "shop.yaml"))


def _placed(name: str) -> str:
    """Paths of the documentation begin where the project lies."""
    return re.sub(r"benchmarks/\S", lambda start: f"{ROOT}/{start[0]}", name)


def test_a_page_of_the_documentation_that_is_linked_to_exists():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
