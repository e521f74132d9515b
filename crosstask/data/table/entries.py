"""Image-level labels that come in one file for many images: JSON or a table, read as id -> text of a cell."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.data.table.formats import FORMATS, Rows, format_of, text_of
from crosstask.data.table.matching import Files, first_few
from crosstask.data.table.naming import images_by_name, naming_column
from crosstask.data.table.tag_columns import NONE, as_tags, no_tags, require_flags
from crosstask.errors import DataError, nearest
from crosstask.reading import unique_keys
from crosstask.tasks.cells import BLANKS, typed

JSON = ".json"
EVERY = "*"
"""Stands for all columns of a table."""


@dataclass(frozen=True)
class Entries:
    """Labels by id.

    Attributes:
        cells: the text of a cell for each id; blank where the label is not known.
        account: which column of a table names the images, and which were left out, for people.
    """

    cells: dict[str, str]
    account: str = ""


def _split(pattern: str) -> tuple[str, list[str]]:
    """``labels.csv:one,two`` as the file and its columns; no columns where none are named."""
    file, colon, columns = pattern.rpartition(":")
    return (file, [name.strip() for name in columns.split(",")]) if colon else (pattern, [])


def is_entries(root: Path | str, pattern: str) -> bool:
    """Whether ``pattern`` names one file of labels (``tags.json``, ``labels.csv:column``), not files by a glob."""
    file, columns = _split(pattern)
    ending = Path(file).suffix.lower()
    if columns:
        return ending in FORMATS or os.path.isfile(os.path.join(root, file))
    return ending in (JSON, *FORMATS) and not set(pattern) & set("*?[")


def read_entries(
    root: Path, column: str, pattern: str, images: Files, taken: Iterable[str] = (), others: Iterable[str] = ()
) -> Entries:
    """Labels by id.

    A JSON file is one object, id -> value or list of values ([] is "known to have none", null unknown; where the lists
    have several lengths, a tag that is there twice counts once). In a table the ids are in the column whose cells name
    images. One column is taken as it is. Several become tags, see :func:`~crosstask.data.table.tag_columns.as_tags`.

    Args:
        root: the folder that patterns are relative to.
        column: the column that is being filled, for messages.
        pattern: ``tags.json``, ``labels.csv:column``, ``labels.csv:one,two``, or ``labels.csv:*`` for all the columns
            that no pattern in ``taken`` names; of these, columns of numbers but 0 and 1, of names of images and those
            with a meaning of their own in a table are left out.
        images: the images that ids are names of.
        taken: the patterns of all columns.
        others: what ``pattern`` is for other splits: the values that a column has in any of them say what it is.

    Raises:
        DataError: a missing or broken file or column, an id twice.
    """
    file, names = _split(pattern)
    path, where = root / file, f"--{column} {pattern}"
    if not path.is_file():
        raise DataError(f"{where}: no file {path}: give a path relative to {root}")
    if path.suffix.lower() == JSON and not names:
        return Entries(_read_json(path))
    columns, rows, first = format_of(path).read(path)
    if not rows:
        raise DataError(f"{where}: {path} has no rows")
    if not names:
        raise DataError(f"{where}: {path} is a table: name the column that is meant, {pattern}:{columns[-1]} say")
    for name in names:
        if name not in columns and names != [EVERY]:
            raise DataError(f"{where}: {path} has no column {name!r}: {nearest(name, columns)}")
    asked = {name for other in (*taken, pattern) if _split(other)[0] == file for name in _split(other)[1]}
    able = sorted((name for name in columns if name not in asked), key=lambda name: name != "id") or columns
    known = images_by_name(images)
    key = naming_column(f"{where}: {path}", known, {name: [row[name] for row in rows] for name in able})
    left_out: dict[str, str] = {}
    every = [name for name in columns if name not in (key, *asked)]
    chosen = every if names == [EVERY] else names
    if len(chosen) == 1:
        cells = [row[chosen[0]] for row in rows]
    else:
        values = _values(chosen, [rows, *(_rows(root / _split(other)[0]) for other in others)])
        left_out = no_tags(values, known) if chosen is every else {}
        cells = _tags(f"{where}: {path}", rows, values, left_out)
    return Entries(_by_id(path, key, rows, cells, first), f" by column {key!r}{_shown(left_out)}")


def _tags(where: str, rows: Rows, values: Mapping[str, set[str]], left_out: Mapping[str, str]) -> list[str]:
    """The columns of ``values`` as tags, but for those that are left out."""
    require_flags(where, values)
    kept = {name: seen for name, seen in values.items() if name not in left_out}
    if not kept:
        raise DataError(f"{where}: no column of tags{_shown(left_out)}: name the columns that are meant")
    return [as_tags(row, kept) for row in rows]


def _by_id(path: Path, key: str, rows: Rows, cells: Sequence[str], first: int) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line, (row, cell) in enumerate(zip(rows, cells, strict=True), first):
        if row[key] in entries:
            raise DataError(f"{path}, row {line}: {key} {row[key]!r} is there twice: remove one of the rows")
        entries[row[key]] = cell
    return entries


def _shown(left_out: Mapping[str, str]) -> str:
    """Columns and why they are no tags, for people."""
    found = [f"{column} ({reason})" for column, reason in left_out.items()]
    return f"; columns left out: {first_few(found, 8)}" if found else ""


def _values(names: Sequence[str], tables: Sequence[Rows]) -> dict[str, set[str]]:
    """What each column holds in any of the tables, blanks left out."""
    return {name: {row.get(name, "") for rows in tables for row in rows} - BLANKS for name in names}


def _rows(path: Path) -> Rows:
    return format_of(path).read(path)[1] if path.is_file() else []


def _read_json(path: Path) -> dict[str, str]:
    try:
        content = json.loads(text_of(path), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a valid JSON file ({error}): mend it") from None
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
