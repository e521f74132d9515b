"""Several columns of a table as tags of one task."""

from __future__ import annotations

from collections.abc import Container, Mapping

from crosstask.data.table.table import RESERVED, SOURCE, WEIGHT
from crosstask.errors import DataError
from crosstask.tasks.cells import BLANKS, number

NONE = "-"
"""The cell of an image that is known to have no tags."""
UNSURE = "?"
"""What precedes a tag in a cell where it is not known whether the image has it."""


def require_flags(where: str, values: Mapping[str, set[str]]) -> None:
    """Refuse columns of flags with a -1, which some data sets write for absent and some for unknown.

    Args:
        where: the file of the columns, for messages.
        values: what each column holds, blanks left out.

    Raises:
        DataError: a column holds -1 and nothing else but 0 and 1.
    """
    for column, seen in values.items():
        found = {number(value) for value in seen}
        if -1.0 in found and found <= {-1.0, 0.0, 1.0}:
            shown = ", ".join(sorted(f"{value:.0f}" for value in found if value is not None))
            raise DataError(
                f"{where}: column {column} holds {shown}: whether -1 is absent or unknown is not said: "
                "crosstask convert attributes takes --absent -1 or --unknown -1"
            )


def no_tags(values: Mapping[str, set[str]], images: Container[str]) -> dict[str, str]:
    """The columns that say nothing of what is in an image, and why: those that nobody asked for by name.

    Args:
        values: what each column holds, blanks left out.
        images: names of images.
    """
    reasons = {column: _reason(column, seen, images) for column, seen in values.items()}
    return {column: reason for column, reason in reasons.items() if reason is not None}


def _reason(column: str, seen: set[str], images: Container[str]) -> str | None:
    if column in RESERVED or column.endswith((WEIGHT, SOURCE)):
        return "a meaning of its own"
    if _is_flag(seen):
        return None
    if all(value in images for value in seen):
        return "names of images"
    return "numbers" if all(number(value) is not None for value in seen) else None


def _is_flag(seen: set[str]) -> bool:
    return {number(value) for value in seen} <= {0.0, 1.0}


def as_tags(row: Mapping[str, str], values: Mapping[str, set[str]]) -> str:
    """Several columns of a row as tags; ``?`` marks those of a blank column, blank where all are.

    A column that holds nothing but 0 and 1 (true and false) is a tag of its name where it is 1, any other column gives
    tags ``column=value``.
    """
    marks = []
    for column, seen in values.items():
        tags = [column] if _is_flag(seen) else [f"{column}={value}" for value in sorted(seen)]
        if row[column] in BLANKS:
            marks += [UNSURE + tag for tag in tags]
        elif not _is_flag(seen):
            marks.append(f"{column}={row[column]}")
        elif number(row[column]) == 1:
            marks.append(column)
    return "" if all(row[column] in BLANKS for column in values) else ";".join(marks) or NONE
