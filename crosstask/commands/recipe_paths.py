"""The files that a recipe names: found, or said to be missing, before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from crosstask.commands.paths import require_relatedness, require_run, sound
from crosstask.errors import RecipeError, UserError

if TYPE_CHECKING:
    from crosstask.recipe.written import Written


Needed = Literal["all", "tables", "nothing"]
"""Which of the files that a recipe names have to be there: to begin a run, to go on with one, to look at the recipe."""


def typed_recipe(source: str | Path, overrides: Sequence[str] = (), needed: Needed = "all") -> Written:
    """The recipe that was typed.

    Args:
        source: file of a recipe, or the name of a shipped one.
        overrides: dotted flags laid over it.
        needed: which of its files have to be there.

    Raises:
        RecipeError: it cannot be read, or a file it names is missing; names the key.
        UserError: there is no run to start from, or a flag has no value.
    """
    from crosstask.recipe.written import written

    typed = written(source, overrides)
    if needed != "nothing":
        require_data(typed.values)
    if needed == "all":
        require_beginnings(typed.values)
    return typed


def require_run_and_data(path: str) -> Path:
    """A run directory, the tables of whose recipe are still there.

    Raises:
        RecipeError: a table is missing, or the recipe cannot be read; names the key.
        UserError: the folder holds no run.
    """
    run = require_run(path)
    typed_recipe(run / "recipe.yaml", needed="tables")
    return run


def require_data(raw: Mapping[str, Any]) -> None:
    """The tables of a recipe and the files of its label protocol are there.

    Raises:
        RecipeError: one is missing; names the key.
    """
    data = _section(raw, "data")
    for where, path in _tables(data.get("table")):
        if not _there(path, where):
            folder = "" if Path(path).is_absolute() else f", which begins in {Path.cwd()}"
            raise RecipeError(
                f"{where}: {path}: cannot read the table (No such file or directory): check the path{folder}"
            )
    kind, _, file = str(data.get("labels", "")).partition(":")
    says = {
        "lists": f"cannot read the lists of labels: {file}: no such file: check the path",
        "file": f"{file}: no such file: give the .pth file of the assignment",
    }
    if file and kind in says and not _there(file, "data.labels"):
        raise RecipeError(f"data.labels: {says[kind]}")


def require_beginnings(raw: Mapping[str, Any]) -> None:
    """What a new training begins with is there: weights of the encoder, tables of relatedness, the run to start from.

    Raises:
        RecipeError: a file is missing; names the key.
        UserError: there is no run to start from.
    """
    weights = _section(raw, "network").get("weights")
    if isinstance(weights, str) and not _there(weights, "network.weights"):
        raise RecipeError(f"network.weights: there is no file {weights!r}: give a .safetensors or .pth file")
    for name, options in _section(raw, "objectives").items():
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
