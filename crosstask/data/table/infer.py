"""Tasks guessed from a table alone, for looking at data before there is a recipe."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosstask.data.decode.files import load_label
from crosstask.data.table.class_lists import ONLY, class_lists
from crosstask.data.table.places import FILES
from crosstask.data.table.table import RESERVED, SOURCE, WEIGHT, Table
from crosstask.errors import DataError
from crosstask.tasks import Category, Depth, Disparity, Normals, Regression, Saliency, Segmentation, Tagging, Task
from crosstask.tasks.cells import BLANKS, number, value_of
from crosstask.tasks.names import MARKS

_NEARLY_NUMBER = re.compile(r"[-+\u2212]?\d+(,\d+|(\.\d+)?\s*%)")
_LEADING = re.compile(r"0\d+")
"""Codes, 007 say: names, for they are not written as numbers are."""
_FILES = 200
_IDS = 255
_MANY = 50


@dataclass(frozen=True)
class Note:
    """What a column was taken for, or why that could not be told.

    Attributes:
        column: its name.
        text: the reason, after the name of the column.
        severity: "error" where none of its files can be read, "info" else.
    """

    column: str
    text: str
    severity: str = "info"

    def __str__(self) -> str:
        return f"column {self.column}: {self.text}"


Guess = tuple[Task | None, str]
"""A task and why, or None and why not."""


def infer_tasks(table: Table) -> tuple[dict[str, Task], list[Note]]:
    """Guess the kind of each column that is not reserved; names of classes are taken from lists beside the table.

    Returns:
        The tasks by column, and a note for each column that says what it was taken for and why, or that it could not be
        told.
    """
    tasks: dict[str, Task] = {}
    notes = []
    files = set(table.file_columns())
    listed = class_lists(table)
    for column in table.columns:
        if column in RESERVED or column.endswith((WEIGHT, SOURCE)):
            continue
        rows = [index for index, row in enumerate(table.rows) if row.get(column)]
        if not rows:
            notes.append(Note(column, "blank in every row, passed over"))
            continue
        most = max(_IDS, len(listed.get(column, listed.get(ONLY, ()))) - 1)
        try:
            task, why = _from_files(table, column, rows, most) if column in files else _from_cells(table, column, rows)
        except DataError as error:
            notes.append(Note(column, f"not checked, {error}", "error"))
            continue
        if task is None:
            notes.append(Note(column, f"not checked, {why}: give a recipe that says what it is"))
            continue
        tasks[column] = task
        notes.append(Note(column, f"taken for {task.kind}, {why}"))
    _name(tasks, notes, listed)
    return tasks, notes


def _name(tasks: dict[str, Task], notes: list[Note], listed: dict[str, list[str]]) -> None:
    """Give tasks the names that are listed for them; those of no named column are of the only segmentation there is."""
    maps = [column for column, task in tasks.items() if isinstance(task, Segmentation)]
    if ONLY in listed:
        fits = len(maps) == 1 and 2 * tasks[maps[0]].channels >= len(listed[ONLY])  # not a list of other things
        listed = {maps[0]: listed[ONLY]} if fits else {}
    for column, names in listed.items():
        task = tasks.get(column)
        if not isinstance(task, (Segmentation, Category, Tagging)):
            continue
        numbered = all(map(str.isdecimal, task.classes))
        if (numbered and task.channels > len(names)) or not (numbered or set(task.classes) <= set(names)):
            notes.append(Note(column, f"the {len(names)} names listed beside the table do not fit its labels"))
            continue
        try:
            tasks[column] = type(task)(column, classes=names)
        except ValueError as error:
            notes.append(Note(column, f"the names listed beside the table cannot be used: {error}"))


def _spread(rows: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of the rows, evenly spread."""
    return [rows[i * len(rows) // count] for i in range(count)] if len(rows) > count else list(rows)


def _arrays(table: Table, column: str, rows: Sequence[int]) -> list[np.ndarray]:
    """What the files hold that can be read."""
    found = []
    for row in rows:
        try:
            found.append(load_label(table.resolve(row, column)))
        except DataError:
            continue
    return found


def _refusal(table: Table, column: str, row: int) -> str:
    try:
        load_label(table.resolve(row, column))
    except DataError as error:
        return str(error)
    return "they are empty"


def _from_files(table: Table, column: str, rows: Sequence[int], most: int) -> Guess:
    first_rows = _spread(rows, 5)
    arrays = _arrays(table, column, first_rows)
    if not arrays:
        raise DataError(f"none of its first files can be read ({_refusal(table, column, first_rows[0])})")
    first = arrays[0]
    layout = f"{first.dtype} files of shape {first.shape}"
    planes = first.ndim == 2 or 1 in (first.shape[0], first.shape[-1])
    if not planes:
        if _hinted(column, "norm") or _near_unit(arrays):
            return Normals(column), f"{layout} of vectors"
        return None, f"{layout} are neither one value per pixel nor unit vectors"
    for words, make in HINTS.items():
        if _hinted(column, *words):
            return make(column), f"by its name ({layout})"
    highest = max(float(np.nanmax(array, initial=0)) for array in arrays)
    if first.dtype.kind == "f" and any((array != np.rint(array))[~np.isnan(array)].any() for array in arrays):
        return (
            (Saliency(column), f"{layout} in [0, 1]")
            if highest <= 1
            else (Depth(column), f"{layout} up to {highest:.4g}")
        )
    if first.dtype.kind in "iu" and first.dtype.itemsize > 1 and highest > 1000:
        return Depth(column), f"{layout} up to {highest:g}"
    levels = set(np.unique(np.concatenate([np.unique(array) for array in arrays])).tolist())
    if levels <= {0, 255}:
        return Saliency(column), f"{layout} of 0 and 255"
    return _segmentation(table, column, rows, most)


def _segmentation(table: Table, column: str, rows: Sequence[int], most: int) -> Guess:
    highest = -1
    sample = _spread(rows, _FILES)
    for row in sample:
        for array in _arrays(table, column, [row]):
            ids = array[(array != 255) & (array == array)]
            highest = max(highest, int(ids.max())) if ids.size else highest
    if highest < 0:
        return None, f"the first {len(sample)} files hold nothing but 255"
    if highest > most:
        return None, f"ids up to {highest} are too many for classes"
    return Segmentation(column, classes=highest + 1), f"ids 0 to {highest} in {len(sample)} files, 255 unknown"


def _from_cells(table: Table, column: str, rows: Sequence[int]) -> Guess:
    """A guess from words and numbers.

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


def _from_text(column: str, cells: Sequence[str]) -> Guess:
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


def _from_words(column: str, cells: Sequence[str]) -> Guess:
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


def _from_mappings(column: str, values: Sequence[dict[str, Any]], say: str) -> Guess:
    names = list(dict.fromkeys(name for value in values for name in value))
    known = {number(part) for value in values for part in value.values() if not isinstance(part, (list, dict))}
    if {each for each in known if each == each} <= {0.0, 1.0}:
        return Tagging(column, classes=names), f"0 or 1 for each of {len(names)} tags, {say}"
    return Regression(column, names=names), f"numbers by name, {say}"


def _hinted(column: str, *words: str) -> bool:
    return any(word in column.lower() for word in words)


def _near_unit(arrays: Sequence[np.ndarray]) -> bool:
    task = Normals("guess")
    try:
        return all(task.parse(array).known().any() for array in arrays)
    except ValueError:
        return False


HINTS: dict[tuple[str, ...], Callable[[str], Task]] = {
    ("disparity", "disp"): Disparity,
    ("depth", "distance"): Depth,
    ("saliency", "salient", "foreground", "figure"): Saliency,
}
"""Words in the name of a column that tell one value per pixel from another."""
