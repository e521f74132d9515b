"""The table a refinement starts from: what is wrong with a row is said, and what it still offers is used."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from crosstask.data.decode.files import image_size
from crosstask.data.options import DataOptions
from crosstask.data.table.table import WEIGHT, Table
from crosstask.errors import DataError, nearest
from crosstask.rounds.labels import training_rows
from crosstask.rounds.roles import Roles
from crosstask.tasks.base import Task
from crosstask.tasks.cells import number
from crosstask.tasks.names import SEPARATOR

HIDDEN = ".hidden"
"""Ending of the column that masks are moved to which nothing is trained on."""

Progress = Callable[[int, int | None], object]


class Note(NamedTuple):
    """Something a row lacks, and what becomes of it.

    Attributes:
        row: the id of the row.
        column: the column.
        kind: notes of one kind are counted together.
        text: what was found, and what becomes of the row.
    """

    row: str
    column: str
    kind: str
    text: str


@dataclass(frozen=True)
class Intake:
    """The rows that can be used.

    Attributes:
        table: as the runs are to see it: tags that exist, maps that exist, no hidden mask.
        masks: the column of masks to measure with, or None.
        notes: what was left out, by row.
    """

    table: Table
    masks: str | None
    notes: list[Note] = field(default_factory=list)

    def summary(self) -> list[str]:
        """A line per kind of note, with the first rows."""
        counts = Counter((note.column, note.kind) for note in self.notes)
        lines = []
        for (column, kind), count in counts.items():
            rows = [note.row for note in self.notes if (note.column, note.kind) == (column, kind)][:5]
            lines.append(f"{column}: {count} rows {kind} ({', '.join(rows)}{', ...' if count > len(rows) else ''})")
        return lines

    def csv(self) -> str:
        """All notes as a table: id, column, note."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("id", "column", "note"))
        writer.writerows((note.row, note.column, note.text) for note in self.notes)
        return text.getvalue()


def take_in(
    table: Table,
    data: DataOptions,
    roles: Roles,
    saliency: str | None,
    masks: str | None,
    progress: Progress | None = None,
) -> Intake:
    """Look at every row of a table once: headers are read, nothing is decoded.

    Tags that name no class are left out of their cell, which becomes unknown where nothing is left. A training row
    without a readable image is left out, as is a saliency map that is missing, broken or of another size; rows of other
    splits are measured with, so they are left as they are.

    Args:
        table: the table of the recipe.
        data: which split is the training split.
        roles: the tasks.
        saliency: column of given saliency maps, None for none.
        masks: column of masks that are only measured with, None for none.
        progress: called with (rows done, rows in all).

    Raises:
        DataError: a column is missing, or no row is left.
    """
    for key, column in {f"tasks.{roles.tags.name}": roles.tags.name, "refine.saliency": saliency,
                        "refine.masks": masks}.items():  # fmt: skip
        if column is not None and column not in table.columns:
            raise DataError(f"{key}: {table.path} has no column {column!r}: {nearest(column, table.columns)}")
    hidden = masks is not None and masks == roles.segmentation.name
    columns = list(table.columns) + [name for name in (roles.segmentation.name,) if name not in table.columns]
    if hidden:
        masks = f"{masks}{HIDDEN}"
        columns.append(masks)
    trained = set(training_rows(table, data))
    notes: list[Note] = []
    rows = []
    for index, row in enumerate(table.rows):
        if progress is not None:
            progress(index + 1, len(table))
        checked = _Row(table, index, data.confined, notes)
        if index not in trained:
            rows.append({**row, roles.tags.name: checked.tags(roles.tags) if row[roles.tags.name] else ""})
            continue
        size = checked.size("image", "cannot be read and are left out")
        if size is None:
            continue
        cells = {roles.tags.name: checked.tags(roles.tags)}
        if saliency is not None:
            cells[saliency] = checked.map(saliency, size)
        if hidden:
            name = roles.segmentation.name
            cells |= {str(masks): row[name], name: ""} | ({name + WEIGHT: ""} if name + WEIGHT in columns else {})
        rows.append({**row, **cells})
    rows = [{column: row.get(column, "") for column in columns} for row in rows]
    return Intake(replace(table, columns=tuple(columns), rows=rows), masks, notes)


class _Row:
    """One row, and what there is to note about it."""

    def __init__(self, table: Table, index: int, confined: bool, notes: list[Note]) -> None:
        self.table, self.index, self.confined, self.notes = table, index, confined, notes
        self.row = table.rows[index]

    def note(self, column: str, kind: str, text: str) -> None:
        self.notes.append(Note(self.row["id"], column, kind, text))

    def size(self, column: str, kind: str) -> tuple[int, int] | None:
        try:
            return image_size(self.table.resolve(self.index, column, self.confined))
        except DataError as error:
            self.note(column, kind, str(error))
            return None

    def tags(self, task: Task) -> str:
        """The cell without the tags that name no class; blank where no tag is left of some."""
        cell = self.row[task.name]
        if not cell:
            self.note(task.name, "have no tags", "no tags: any class may be there, only background can be labelled")
        if not cell or _reads(task, cell):
            return cell
        words = [word for word in (part.strip() for part in cell.split(SEPARATOR)) if word]
        known = [word for word in words if number(word) is None and _reads(task, word)]
        if len(known) == len(words):
            return cell  # unreadable in another way, which whoever reads it tells
        unknown = ", ".join(word for word in words if word not in known)
        kept = SEPARATOR.join(known)
        used = kept or "nothing, as if it had no tags"
        self.note(task.name, "name unknown tags", f"no class: {unknown}; used: {used}")
        return kept

    def map(self, column: str, size: tuple[int, int]) -> str:
        """The cell, or a blank where it names no file of the size of the image."""
        cell = self.row[column]
        if not cell:
            self.note(column, "have no saliency map", "no saliency map: only a network can say what is salient here")
            return ""
        found = self.size(column, "have no readable saliency map")
        if found not in (None, size):
            sizes = " and ".join("x".join(map(str, each)) for each in (found, size) if each)
            self.note(column, "have a saliency map of another size", f"{cell}: map and image are {sizes}")
        return cell if found == size else ""


def _reads(task: Task, cell: str) -> bool:
    try:
        task.parse(cell)
    except ValueError:
        return False
    return True
