"""Which of the files that make a recipe holds a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, UserError
from crosstask.reading import read_text
from crosstask.recipe.flags import pairs
from crosstask.recipe.written import parts
from crosstask.strict_yaml import parse_yaml


@contextmanager
def naming_the_file(source: str | Path, overrides: Sequence[str] = ()) -> Iterator[None]:
    """What is wrong with a key that a file of the recipe holds, and no flag, is said with the file in front.

    Args:
        source: the recipe as it was typed: a file or a shipped name, with patches.
        overrides: the dotted flags laid over it.
    """
    try:
        yield
    except RecipeError as error:
        found = re.match(r"[^\s:\[]+", str(error))
        path = None if found is None else _holder(found[0].split("."), source, overrides)
        if path is None:
            raise
        raise RecipeError(f"{path}: {error}") from error


def _holder(key: list[str], source: str | Path, overrides: Sequence[str]) -> str | None:
    typed = [flag.split(".") for flag, _ in pairs(overrides, "--training.epochs 5")]
    if any(flag[: len(key)] == key[: len(flag)] for flag in typed):
        return None
    own = [name for name in reversed(parts(source)) if Path(name).is_file()]
    return next((name for name in own if _holds(name, key)), None)


def _holds(path: str, key: list[str]) -> bool:
    try:
        value: Any = parse_yaml(read_text(Path(path)))
    except (ValueError, UserError):
        return False
    for name in key:
        if not isinstance(value, Mapping):
            return value is not None
        if name not in value:
            return False
        value = value[name]
    return True
