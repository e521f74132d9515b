"""Tasks guessed from a table alone, for looking at data before there is a recipe."""

from __future__ import annotations

from dataclasses import dataclass

from crosstask.data.table.class_lists import ONLY, class_lists
from crosstask.data.table.file_kinds import task_of_files
from crosstask.data.table.table import RESERVED, SOURCE, WEIGHT, Table
from crosstask.data.table.word_kinds import task_of_words
from crosstask.errors import DataError
from crosstask.tasks import Category, Segmentation, Tagging, Task
from crosstask.tasks.names import are_positions

_IDS = 255


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
            found = (
                task_of_files(table, column, rows, most)
                if column in files
                else task_of_words(table, column, rows, most)
            )
        except DataError as error:
            notes.append(Note(column, f"not checked, {error}", "error"))
            continue
        task, why = found
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
        numbered = are_positions(task.classes)
        if (numbered and task.channels > len(names)) or not (numbered or set(task.classes) <= set(names)):
            notes.append(Note(column, f"the {len(names)} names listed beside the table do not fit its labels"))
            continue
        try:
            tasks[column] = type(task)(column, classes=names)
        except ValueError as error:
            notes.append(Note(column, f"the names listed beside the table cannot be used: {error}"))
