"""What a column of words and numbers says, by its cells."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

from crosstask.data.table.places import FILES
from crosstask.data.table.spellings import is_code, no_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.tasks import Category, Regression, Tagging, Task
from crosstask.tasks.cells import BLANKS, number, value_of
from crosstask.tasks.names import MARKS

_MANY = 50
_PLAUSIBLE, _SPARSE, _MOST = 1000, 10, 65536
"""So many classes may be there; more where at least one in so many occurs; never more than a recipe can have."""


def task_of_words(table: Table, column: str, rows: Sequence[int], most: int) -> tuple[Task | None, str]:
    """The task of a column of words and numbers, and why, or None and why not.

    Args:
        table: the table.
        column: one of its columns.
        rows: the rows where it is not blank.
        most: the highest id that is a class in any case.

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
    return _from_text(column, [table.rows[row][column] for row in rows], most)


def _from_text(column: str, cells: Sequence[str], most: int) -> tuple[Task | None, str]:
    marks = sorted({str(cell) for cell in cells if str(cell).lower() in MARKS})
    if _measured([str(cell) for cell in cells if cell not in BLANKS and cell not in marks]):
        marks = ["-", *marks]
    cells = [cell for cell in cells if cell not in BLANKS and cell not in marks]
    if not cells:
        return None, "no cell says anything"
    task, why = _from_words(column, cells, most)
    if isinstance(task, Tagging) and "-" in cells and not any(len(_parts(cell)) > 1 for cell in cells):
        why += "; '-' taken for none of them: kind: category with unknown: ['-'] where it stands for no label"
    if task is None or not marks:
        return task, why
    try:
        task = type(task)(column, **{**task.options, "unknown": [-1, *marks] if isinstance(task, Category) else marks})
    except ValueError as error:
        return None, str(error)
    return task, f"{why}; {', '.join(map(repr, marks))} taken for no label"


def _measured(cells: Sequence[str]) -> bool:
    """Whether cells are "-" and numbers that count no classes: it then is no number, as in spreadsheets, and no tag."""
    values = [number(cell) for cell in cells if cell != "-"]
    return "-" in cells and None not in values and not all(each.is_integer() and each >= 0 for each in values if each)


def _from_words(column: str, cells: Sequence[str], most: int) -> tuple[Task | None, str]:
    if any("/" in cell or os.path.splitext(cell)[1].lower() in FILES for cell in map(str, cells[:20])):
        return None, f"{cells[0]!r} looks like a file but is not there"
    say = f"{cells[0][:40]!r} say"
    if all(isinstance(value_of(cell), dict) for cell in cells):
        return _from_mappings(column, [value_of(cell) for cell in cells], say)
    parts = [_parts(cell) for cell in cells]
    lengths = {len(part) for part in parts}
    words = {part for cell in parts for part in cell if part not in BLANKS}
    if why := no_label(words):
        return None, why
    numbers = {word: None if is_code(word) else number(word) for word in words}
    values = {value for value in numbers.values() if value is not None}
    plain = None not in numbers.values()
    if len(lengths) == 1 and max(lengths) > 1 and plain and values <= {0.0, 1.0}:
        count = lengths.pop()
        return Tagging(column, classes=count), f"0 or 1 for each of {count} tags, {say}"
    whole = plain and all(value.is_integer() and value >= -1 for value in values)
    if len(lengths) == 1 and max(lengths) > 1 and all(map(str.isdecimal, words)) and plain:
        return None, f"{max(lengths)} whole numbers in each cell, {say}: positions of tags, or scalars"
    if len(lengths) == 1 and plain and not (whole and max(lengths) == 1):
        return Regression(column, names=lengths.pop()), f"numbers, {say}"
    make: type[Category] | type[Tagging] = Tagging if max(lengths) > 1 or "-" in words else Category
    if whole:
        return _by_position(make, column, values, most, say)
    words = {word.removeprefix("?") for word in words} - {"-"}
    if all(map(str.isdecimal, words)) and not any(map(is_code, words)):
        return _by_position(make, column, set(map(float, words)), most, say)
    return _by_name(make, column, words, len(cells), say)


def _by_position(
    make: type[Category] | type[Tagging], column: str, values: Collection[float], most: int, say: str
) -> tuple[Task | None, str]:
    """Classes 0, 1, ... up to the highest number there is, unless far too few of them occur: dates, counts, codes."""
    count = max(int(max(values, default=0)) + 1, 1)
    if count > min(max(most + 1, _PLAUSIBLE, _SPARSE * len(values)), _MOST):
        return None, f"{len(values)} different numbers up to {count - 1} are too far apart for classes, {say}"
    return make(column, classes=count), f"{count} {_what(make)}, {say}"


def _by_name(
    make: type[Category] | type[Tagging], column: str, names: Collection[str], rows: int, say: str
) -> tuple[Task | None, str]:
    if make is Category and len(names) > max(_MANY, rows // 2):
        return None, f"{len(names)} different texts, {say}"
    try:
        task = make(column, classes=sorted(names))
    except ValueError as error:
        return None, str(error)
    return task, f"{task.channels} {_what(make)}, {say}"


def _what(make: type[Task]) -> str:
    return "tags" if make is Tagging else "classes"


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
