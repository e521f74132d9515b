"""The files that a recipe names: found, or said to be missing, before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crosstask.commands.paths import require_recipe, require_relatedness, require_run, sound
from crosstask.errors import RecipeError, UserError


def typed_recipe(source: str, overrides: Sequence[str] = (), files: bool = True, flag: str = "") -> dict[str, Any]:
    """The plain values of the recipe that was typed.

    Args:
        source: file of a recipe, or the name of a shipped one.
        overrides: dotted flags laid over it.
        files: whether all files that it names have to be there.
        flag: the flag it was typed behind, for messages.

    Raises:
        RecipeError: it cannot be read, or a file it names is missing; names the key.
        UserError: there is no run to start from, or a flag has no value.
    """
    from crosstask.recipe.written import read_recipe

    require_recipe(source, flag)
    raw = read_recipe(source, overrides)
    if files:
        require_data(raw)
        require_beginnings(raw)
    return raw


def require_data(raw: Mapping[str, Any]) -> None:
    """The tables of a recipe and the files of its label protocol are there.

    Raises:
        RecipeError: one is missing; names the key.
    """
    data = _section(raw, "data")
    for where, path in _tables(data.get("table")):
        if not _there(path, where):
            raise RecipeError(f"{where}: {path}: cannot read the table (No such file or directory): check the path")
    kind, _, file = str(data.get("labels", "")).partition(":")
    says = {
        "lists": f"cannot read the lists of labels: {file}: no such file: check the path",
        "file": f"{file}: no such file: give the .pth file of the assignment",
    }
    if file and kind in says and not _there(file, "data.labels"):
        raise RecipeError(f"data.labels: {says[kind]}")


def require_stored_data(recipe: Path) -> None:
    """The same, of the recipe in the folder of a run or of rounds.

    Raises:
        RecipeError: one is missing, or the recipe cannot be read; names the key.
    """
    from crosstask.recipe.written import read_recipe

    require_data(read_recipe(recipe))


def require_run_and_data(path: str) -> Path:
    """A run directory, the tables of whose recipe are still there.

    Raises:
        UserError: it is none, or a table is missing; names the key.
    """
    run = require_run(path)
    require_stored_data(run / "recipe.yaml")
    return run


def require_beginnings(raw: Mapping[str, Any]) -> None:
    """What a new training begins with is there: weights of the encoder, tables of relatedness, the run to start from.

    Raises:
        RecipeError: a file is missing; names the key.
        UserError: there is no run to start from.
    """
    from crosstask.recipe.written import by_name

    weights = _section(raw, "network").get("weights")
    if isinstance(weights, str) and not _there(weights, "network.weights"):
        raise RecipeError(f"network.weights: there is no file {weights!r}: give a .safetensors or .pth file")
    for name, options in by_name(raw.get("objectives") or {}).items():
        table = options.get("relatedness") if isinstance(options, Mapping) else None
        if isinstance(table, str):
            require_relatedness(table, f"objectives.{name}.relatedness")
    before = _section(raw, "training").get("start_from")
    if isinstance(before, str) and before.strip() and not _there(before, "training.start_from"):
        raise UserError(f"training.start_from: {before} is not a run: there is no recipe.yaml in it")


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, Mapping) else {}  # whoever validates it says what is wrong


def _tables(given: Any) -> Iterator[tuple[str, str]]:
    """Keys and paths of the tables that ``data.table`` names."""
    several = isinstance(given, list)
    for index, entry in enumerate(given if several else [given]):
        path = entry.get("path") if isinstance(entry, Mapping) else entry
        if isinstance(path, str) and path:
            yield (f"data.table[{index}]" if several else "data.table"), path


def _there(path: str, where: str) -> bool:
    """Whether there is such a file or folder; what has another address is not looked for."""
    return "://" in path or sound(path, where).exists()
