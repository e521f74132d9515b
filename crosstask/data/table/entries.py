"""Image-level labels that come in one file for many images: JSON or a table, read as id -> text of a cell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crosstask.data.table.formats import FORMATS, format_of
from crosstask.errors import DataError, nearest
from crosstask.reading import regular
from crosstask.tasks.cells import number, typed

NONE = "-"
"""The cell of an image that is known to have no tags."""
UNSURE = "?"
"""What precedes a tag in a cell where it is not known whether the image has it."""


def _split(pattern: str) -> tuple[str, list[str]]:
    """``labels.csv:one,two`` as the file and its columns; no columns where none are named."""
    file, colon, columns = pattern.rpartition(":")
    return (file, [name.strip() for name in columns.split(",")]) if colon else (pattern, [])


def is_entries(pattern: str) -> bool:
    """Whether ``pattern`` names one file of labels (``tags.json``, ``labels.csv:column``), not files by a glob."""
    file, columns = _split(pattern)
    ending = Path(file).suffix.lower()
    return ending in FORMATS if columns else ending == ".json" and not set(pattern) & set("*?[")


def read_entries(
    root: Path, column: str, pattern: str, taken: Iterable[str] = (), others: Iterable[str] = ()
) -> dict[str, str]:
    """Labels by id, as text of cells; blank where a label is not known.

    A JSON file is one object, id -> value or list of values ([] is "known to have none", null unknown; where the lists
    have several lengths, a tag that is there twice counts once). In a table the
    ids are in the column ``id``, or else in the first one. One column is taken as it is. Several become tags: a column
    that holds nothing but 0 and 1 (true and false) is a tag of its name where it is 1, any other column gives tags
    ``column=value``; those of a blank cell are unknown (``?tag``).

    Args:
        root: the folder that patterns are relative to.
        column: the column that is being filled, for messages.
        pattern: ``tags.json``, ``labels.csv:column``, ``labels.csv:one,two``, or ``labels.csv:*`` for all the columns
            that no pattern in ``taken`` names.
        taken: the patterns of all columns.
        others: what ``pattern`` is for other splits: the values that a column has in any of them say what it is.

    Raises:
        DataError: a missing or broken file or column, an id twice.
    """
    file, names = _split(pattern)
    path = root / file
    if not path.is_file():
        raise DataError(f"--{column} {pattern}: no file {path}: give a path relative to {root}")
    if not names:
        return _read_json(path)
    columns, rows, first = format_of(path).read(path)
    if not rows:
        raise DataError(f"--{column} {pattern}: {path} has no rows")
    key = "id" if "id" in columns else columns[0]
    if names == ["*"]:
        used = {name for other in taken if other != pattern and _split(other)[0] == file for name in _split(other)[1]}
        names = [name for name in columns if name != key and name not in used]
    for name in names:
        if name not in columns:
            raise DataError(f"--{column} {pattern}: {path} has no column {name!r}: {nearest(name, columns)}")
    entries: dict[str, str] = {}
    values = {name: {row[name] for row in rows} - {""} for name in names}
    for other in others:
        beside = root / _split(other)[0]
        found = format_of(beside).read(beside)[1] if beside.is_file() else []
        values = {name: seen | ({row.get(name, "") for row in found} - {""}) for name, seen in values.items()}
    if len(names) > 1:
        for name, seen in values.items():
            if {number(value) for value in seen} == {-1.0, 1.0}:
                raise DataError(
                    f"--{column} {pattern}: column {name} of {path} holds -1 and 1: whether -1 is absent or unknown is "
                    "not said: crosstask convert attributes takes --absent -1 or --unknown -1"
                )
    for line, row in enumerate(rows, first):
        if row[key] in entries:
            raise DataError(f"{path}, row {line}: {key} {row[key]!r} is there twice: remove one of the rows")
        entries[row[key]] = row[names[0]] if len(names) == 1 else _tags(row, values)
    return entries


def _tags(row: dict[str, str], values: dict[str, set[str]]) -> str:
    """Several columns of a row as tags; ``?`` marks those of a blank column, blank where all are."""
    marks = []
    for name, seen in values.items():
        flag = {number(value) for value in seen} <= {0.0, 1.0}
        if not row[name]:
            marks += [UNSURE + tag for tag in ([name] if flag else (f"{name}={value}" for value in sorted(seen)))]
        elif not flag:
            marks.append(f"{name}={row[name]}")
        elif number(row[name]) == 1:
            marks.append(name)
    return (";".join(marks) or NONE) if any(row[name] for name in values) else ""


def _read_json(path: Path) -> dict[str, str]:
    try:
        content = json.loads(regular(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a valid JSON file ({error})") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}: write one object, id -> value or list of values")

    lengths = {len(value) for value in content.values() if isinstance(value, list)}

    def cell(name: str, value: Any) -> str:
        if isinstance(value, list) and len(lengths) > 1 and not any(isinstance(part, (list, dict)) for part in value):
            value = list(dict.fromkeys(value))  # lists of many lengths name what is there: twice is once
        try:
            return NONE if value == [] else typed(value)
        except ValueError as error:
            raise DataError(f"{path}, id {name!r}: holds {error}") from None

    return {name: cell(name, value) for name, value in content.items()}
