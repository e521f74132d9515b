"""What a comparison is asked for: methods, label settings, seeds.

A method is laid over the recipe. It is named by

- an objective, or several joined by ``+``: these beside ``supervised``, with the options the recipe has for them;
- ``supervised`` alone;
- ``single``: as many networks as there are tasks, each trained on the labels of its own task only;
- a patch: a YAML file or the name of a shipped recipe or patch, laid over the recipe key by key. It can be joined to
  objectives and other patches by ``+``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, nearest
from crosstask.objectives import OBJECTIVES
from crosstask.recipe.shipped import find_recipe, shipped_patches, shipped_recipes
from crosstask.recipe.written import read_recipe

SUPERVISED = "supervised"
SINGLE = "single"
FULL = ("full", "fraction:1", "fraction:1.0")
"""Label settings that keep every label."""


@dataclass(frozen=True)
class Method:
    """One way to train.

    Attributes:
        name: for tables and folders.
        entry: as it was typed.
        patches: what is laid over the recipe, one after the other.
    """

    name: str
    entry: str
    patches: list[dict[str, Any]]

    @property
    def single(self) -> bool:
        """Whether every task has a network, and a run, of its own."""
        return self.name == SINGLE


def parse_methods(text: str, recipe: Mapping[str, Any]) -> dict[str, Method]:
    """The methods of ``--objectives``, by name; ``supervised``, which all are compared with, comes first.

    Args:
        text: entries separated by commas.
        recipe: the recipe's plain values; its objectives can be named too.

    Raises:
        RecipeError: an entry is nothing that is known, or two have one name.
    """
    own = recipe.get("objectives")
    known = {*OBJECTIVES, *(own if isinstance(own, Mapping) else ())}
    methods = {SUPERVISED: Method(SUPERVISED, SUPERVISED, [{"objectives": [SUPERVISED]}])}
    for entry in _split(text, "--objectives", "supervised,pairwise"):
        method = _method(entry, known)
        if method.name in methods and methods[method.name].patches != method.patches:
            raise RecipeError(f"--objectives: two entries are named {method.name!r}: rename the file {entry}")
        methods[method.name] = method
    return methods


def parse_labels(text: str) -> list[str]:
    """Label settings separated by commas; a number after ``fraction:`` goes on with it.

    >>> parse_labels("one,fraction:0.05,0.1,full")
    ['one', 'fraction:0.05', 'fraction:0.1', 'full']

    Raises:
        RecipeError: there is none.
    """
    labels: list[str] = []
    for word in _split(text, "--labels", "one,fraction:0.1,full"):
        if re.fullmatch(r"[0-9.]+(e-?[0-9]+)?", word) and labels and labels[-1].startswith("fraction:"):
            word = f"fraction:{word}"
        labels.append(word)
    return list(dict.fromkeys(labels))


def parse_seeds(text: str) -> list[int]:
    """Seeds separated by commas.

    Raises:
        RecipeError: something is not a whole number.
    """
    words = _split(text, "--seeds", "0,1,2")
    if wrong := [word for word in words if not word.isdecimal() or len(word) > 18]:
        raise RecipeError(f"--seeds: expected whole numbers separated by commas (0,1,2), found {wrong[0]!r}")
    return list(dict.fromkeys(int(word) for word in words))


def _split(text: str, flag: str, example: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise RecipeError(f"{flag}: nothing given, write for example {flag} {example}")
    return words


def _method(entry: str, known: set[str]) -> Method:
    if entry == SINGLE:
        return Method(SINGLE, entry, [{"objectives": [SUPERVISED]}])
    parts = [entry] if Path(entry).is_file() else entry.split("+")
    objectives = [part for part in dict.fromkeys(parts) if part in known]
    others = [name for name in objectives if name != SUPERVISED]
    files = {part: _find(part, known) for part in parts if part not in known}
    patches: list[dict[str, Any]] = [{"objectives": [SUPERVISED, *others]}] if objectives else []
    names = [*others, *(path.stem for path in files.values())]
    return Method("+".join(names) or SUPERVISED, entry, patches + [read_recipe(path) for path in files.values()])


def _find(part: str, known: set[str]) -> Path:
    try:
        return find_recipe(part)
    except RecipeError:
        pass
    if Path(part).suffix in (".yaml", ".yml"):
        raise RecipeError(f"--objectives: there is no file {part}")
    valid = {*known, SINGLE, *shipped_recipes(), *shipped_patches()}
    raise RecipeError(f"--objectives: {part!r} is no objective, recipe, patch or file; {nearest(part, valid)}")
