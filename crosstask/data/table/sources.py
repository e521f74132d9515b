"""The tables of a recipe, and the conventions by which the labels of one of them are stored otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crosstask.construct import build, resolve
from crosstask.data.table.formats import format_of
from crosstask.data.table.places import packed
from crosstask.data.table.table import ORIGIN, Table, concatenate, read_table
from crosstask.errors import DataError, RecipeError, nearest
from crosstask.tasks.base import Task

Readers = Mapping[str, Mapping[str, Task]]
"""By what the column ``origin`` of a row says: the tasks as they read the labels of that row."""


@dataclass(frozen=True)
class Source:
    """One table of a recipe.

    Attributes:
        path: its file.
        conventions: per task the options that hold for this table alone.
        where: the key in the recipe, for messages.
    """

    path: str
    conventions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    where: str = "data.table"


def sources(given: Any) -> list[Source]:
    """What ``data.table`` names: a path, a mapping with ``path`` and options of tasks, or a list of these.

    Raises:
        RecipeError: something else, or a mapping without a path.
    """
    entries = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    found = []
    for index, entry in enumerate(entries):
        where = f"data.table[{index}]" if isinstance(given, (list, tuple)) else "data.table"
        if isinstance(entry, str):
            found.append(Source(packed(entry), where=where))
            continue
        if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
            raise RecipeError(
                f"{where}: expected a path, or {{path: data.csv, TASK: {{unit: 0.001}}}}, found {entry!r:.80}"
            )
        conventions = {name: options for name, options in entry.items() if name != "path"}
        found.append(Source(packed(entry["path"]), conventions, where))
    return found


def readers(given: Any, tasks: Mapping[str, Task]) -> dict[str, dict[str, Task]]:
    """The tasks for each table that says how its labels are stored; those of other tables are the tasks themselves.

    Raises:
        RecipeError: no such task, no option that says how labels are stored, or one that is not valid.
    """
    return {source.path: {**tasks, **_under(source, tasks)} for source in sources(given) if source.conventions}


def _under(source: Source, tasks: Mapping[str, Task]) -> dict[str, Task]:
    changed = {}
    for name, options in source.conventions.items():
        where = f"{source.where}.{name}"
        if name not in tasks:
            raise RecipeError(f"{where}: there is no task {name!r}; {nearest(name, tasks)}")
        task = tasks[name]
        if not isinstance(options, Mapping):
            raise RecipeError(f"{where}: expected options (key: value), found {options!r:.80}")
        for key, value in options.items():
            if key not in task.conventions:
                known = ", ".join(task.conventions) or "none"
                raise RecipeError(
                    f"{where}.{key}: does not say how labels of {task.kind} are stored (found {value!r:.80}); what may "
                    f"differ between tables: {known}"
                )
        given = {**task.options, **options}
        given.pop("name", None)
        provided = {"name": name}
        changed[name] = build(type(task), resolve(type(task), given, where, provided), where, provided)
    return changed


def load_tables(given: Any) -> Table:
    """The table, or the tables concatenated; rows say in ``origin`` which of several tables they are from.

    Raises:
        DataError: see :func:`~crosstask.data.table.table.read_table`.
        RecipeError: see :func:`sources`.
    """
    named = sources(given)
    for source in named:
        try:
            format_of(Path(source.path.partition("?")[0]))
        except DataError as error:
            raise DataError(f"{source.where}: {error}") from None
    tables = [_stamped(read_table(source.path), source, len(named) > 1) for source in named]
    return tables[0] if len(tables) == 1 else concatenate(tables, Path(named[0].path).with_name("concatenated.csv"))


def alike(paths: list[str], given: Any) -> list[Any]:
    """Paths of tables, with the conventions that ``data.table`` gives for those that it names."""
    known = {os.path.realpath(source.path): {**source.conventions} for source in sources(given)}
    found = ((path, known.get(os.path.realpath(path))) for path in paths)
    return [{"path": path, **conventions} if conventions else path for path, conventions in found]


def read_like(path: str | Path, given: Any) -> Table:
    """A table, with the conventions that ``data.table`` gives for it.

    Raises:
        DataError: see :func:`~crosstask.data.table.table.read_table`.
    """
    real = os.path.realpath(path)
    source = next((source for source in sources(given) if os.path.realpath(source.path) == real), None)
    table = read_table(path)
    return table if source is None else _stamped(table, source)


def only(given: Any) -> str:
    """The real path of the one table that ``data.table`` names; "" where it names none or several."""
    found = sources(given)
    return os.path.realpath(found[0].path) if len(found) == 1 else ""


def _stamped(table: Table, source: Source, several: bool = False) -> Table:
    if not (source.conventions or several):
        return table
    columns = table.columns if ORIGIN in table.columns else (*table.columns, ORIGIN)
    return replace(table, columns=columns, rows=[{**row, ORIGIN: source.path} for row in table.rows])
