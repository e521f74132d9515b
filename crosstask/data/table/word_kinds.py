"""What a column of words and numbers says, by its cells."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from crosstask.data.table.places import FILES
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.tasks import Category, Regression, Tagging, Task
from crosstask.tasks.cells import BLANKS, number, value_of
from crosstask.tasks.names import MARKS

_NEARLY_NUMBER = re.compile(r"[-+\u2212]?\d+(,\d+|(\.\d+)?\s*%)")
_LEADING = re.compile(r"0\d+")
"""Codes, 007 say: names, for they are not written as numbers are."""
_MANY = 50


def task_of_words(table: Table, column: str, rows: Sequence[int]) -> tuple[Task | None, str]:
    """The task of a column of words and numbers, and why, or None and why not.

    Args:
        table: the table.
        column: one of its columns.
        rows: the rows where it is not blank.

    Raises:
        DataError: they name files, none of which is there. A copy of the image's own name is no label.
    """
    named = [(row, cell) for row in rows[:20] if (cell := str(table.rows[row][column])) not in BLANKS]
    files = [os.path.splitext(cell)[1].lower() in FILES for _, cell in named]
    if named and all(files) and any(cell != os.path.basename(table.rows[row]["image"]) for row, cell in named):
        raise DataError(
            f"{named[0][1]!r} looks like a file but is not there: check the path, it is relative to the table's folder,"
            " or leave the column out if it is no label"
        )
    return _from_text(column, [table.rows[row][column] for row in rows])


def _from_text(column: str, cells: Sequence[str]) -> tuple[Task | None, str]:
    marks = sorted({str(cell) for cell in cells if str(cell).lower() in MARKS})
    cells = [cell for cell in cells if cell not in BLANKS and cell not in marks]
    if not cells:
        return None, "no cell says anything"
    task, why = _from_words(column, cells)
    if task is None or not marks:
        return task, why
    try:
        task = type(task)(column, **{**task.options, "unknown": marks if isinstance(task, Tagging) else [-1, *marks]})
    except ValueError as error:
        return None, str(error)
    return task, f"{why}; {', '.join(map(repr, marks))} taken for no label"


def _from_words(column: str, cells: Sequence[str]) -> tuple[Task | None, str]:
    if any("/" in cell or os.path.splitext(cell)[1].lower() in FILES for cell in map(str, cells[:20])):
        return None, f"{cells[0]!r} looks like a file but is not there"
    say = f"{cells[0][:40]!r} say"
    if all(isinstance(value_of(cell), dict) for cell in cells):
        return _from_mappings(column, [value_of(cell) for cell in cells], say)
    parts = [_parts(cell) for cell in cells]
    lengths = {len(part) for part in parts}
    words = {part for cell in parts for part in cell if part not in BLANKS}
    odd = next((word for word in words if _NEARLY_NUMBER.fullmatch(word)), None)
    if odd is not None and all(_NEARLY_NUMBER.fullmatch(word) or number(word) is not None for word in words):
        return None, f"{odd!r} is no number: write a decimal point, and no unit"
    numbers = {word: None if _LEADING.fullmatch(word) else number(word) for word in words}
    plain = all(value is not None for value in numbers.values())
    if len(lengths) == 1 and max(lengths) > 1 and plain and set(numbers.values()) <= {0.0, 1.0}:
        count = lengths.pop()
        return Tagging(column, classes=count), f"0 or 1 for each of {count} tags, {say}"
    whole = plain and all(value == int(value) and value >= -1 for value in numbers.values() if value is not None)
    if len(lengths) == 1 and plain and not (whole and max(lengths) == 1) and not all(map(str.isdecimal, words)):
        return Regression(column, names=lengths.pop()), f"numbers, {say}"
    many = max(lengths) > 1 or "-" in words
    if whole:
        count = int(max((value for value in numbers.values() if value is not None), default=0)) + 1
        make = Tagging if many else Category
        return make(column, classes=max(count, 1)), f"{count} {'tags' if many else 'classes'}, {say}"
    words = {word.removeprefix("?") for word in words} - {"-"}
    if not many and len(words) > max(_MANY, len(cells) // 2):
        return None, f"{len(words)} different texts, {say}"
    whole = all(map(str.isdecimal, words)) and not any(map(_LEADING.fullmatch, words))
    classes = max(map(int, words), default=0) + 1 if whole else sorted(words)
    count = classes if isinstance(classes, int) else len(classes)
    try:
        task: Task = (Tagging if many else Category)(column, classes=classes)
    except ValueError as error:
        return None, str(error)
    return task, f"{count} {'tags' if many else 'classes'}, {say}"


def _parts(cell: str) -> list[str]:
    value = value_of(cell)
    if isinstance(value, list):
        return ["" if part is None else str(part) for part in value]
    return [part.strip() for part in str(cell).split(";")]


def _from_mappings(column: str, values: Sequence[dict[str, Any]], say: str) -> tuple[Task | None, str]:
    names = list(dict.fromkeys(name for value in values for name in value))
    known = {number(part) for value in values for part in value.values() if not isinstance(part, (list, dict))}
    if {each for each in known if each == each} <= {0.0, 1.0}:
        return Tagging(column, classes=names), f"0 or 1 for each of {len(names)} tags, {say}"
    return Regression(column, names=names), f"numbers by name, {say}"
