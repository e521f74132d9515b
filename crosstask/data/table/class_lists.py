"""Names of classes that lie beside a table: what conversions write down, and what annotation tools do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.reading import read_text

JSON, TEXT = "classes.json", "classes.txt"
ONLY = ""
"""Stands for the only task that classes can be meant for."""


def class_lists(table: Table) -> dict[str, list[str]]:
    """Names of classes by column, in the order of their ids; those of :data:`ONLY` are of no named column.

    Looked for in ``NAME_files`` beside the table ``NAME.csv`` and in its folder: ``classes.json`` (names by column, of
    none where no task has names, one list, or names by id) and ``classes.txt`` (a name per line).

    Raises:
        DataError: such a file is no list of names.
    """
    for folder in (table.path.with_name(f"{table.path.stem}_files"), table.folder):
        if (path := folder / JSON).is_file():
            try:
                content = json.loads(read_text(path))
            except ValueError as error:
                raise DataError(f"{path}: is no JSON ({error}): mend or remove it") from None
            return _named(content, path)
        if (path := folder / TEXT).is_file():
            return {ONLY: [line.strip() for line in read_text(path).splitlines() if line.strip()]}
    return {}


def _named(content: Any, path: Path) -> dict[str, list[str]]:
    if isinstance(content, list):
        return {ONLY: _names(content, path)}
    if isinstance(content, dict) and content and all(isinstance(names, str) for names in content.values()):
        ids = list(content) if all(key.isdecimal() for key in content) else []
        if sorted(map(int, ids)) == list(range(len(content))) and ids:
            return {ONLY: [content[key] for key in sorted(ids, key=int)]}
    elif isinstance(content, dict):
        return {str(column): _names(names, path) for column, names in content.items()}
    raise DataError(f"{path}: is no list of names: write names by column, {{column: [name, ...]}}, or remove it")


def _names(names: Any, path: Path) -> list[str]:
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return names
    raise DataError(f"{path}: holds {names!r:.60} where a list of names should be: mend or remove it")
