"""A table of several annotators as one row per image and annotator, however it was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crosstask.data.table.formats import format_of
from crosstask.data.table.table import RESERVED, Table
from crosstask.errors import DataError

ANNOTATOR = "annotator"
"""Column that says who made the labels of a row."""
AT = "@"
"""Between the name of a task and that of an annotator in the name of a column."""


@dataclass(frozen=True)
class Stacked:
    """Opinions.

    Attributes:
        table: a row per image and annotator, those of an image together; its column ``annotator`` says whose it is.
        groups: for each image, in order, the rows of the table that are its.
        annotators: their names, in order of appearance.
        tasks: columns that several annotators filled.
        others: the columns that belong to the image: its id, split, intrinsics, and what nobody is named for.
    """

    table: Table
    groups: list[list[int]]
    annotators: list[str]
    tasks: list[str]
    others: list[str]


def stack(path: str | Path) -> Stacked:
    """Read a table whose annotators have columns (``depth@anna``) or rows (a column ``annotator``).

    Raises:
        DataError: it cannot be read, has no images, has neither or both, a column or row of labels names no annotator,
            or an annotator has two rows for one image.
    """
    path = Path(path)
    try:
        columns, rows, _ = format_of(path).read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot read the table ({error.strerror or error}): check the path") from None
    if "image" not in columns:
        raise DataError(
            f"{path}: no column 'image' among {', '.join(columns)}: give the column of image paths that name"
        )
    wide = [column for column in columns if AT in column]
    if bool(wide) == (ANNOTATOR in columns):
        found = f"both {wide[0]!r} and 'annotator'" if wide else "neither"
        raise DataError(
            f"{path}: annotators have columns such as depth{AT}anna, or rows with a column 'annotator': found {found}"
        )
    if wide:
        tasks = list(dict.fromkeys(column.partition(AT)[0] for column in wide))
        names = list(dict.fromkeys(column.partition(AT)[2] for column in wide))
        whose = next((column for column in columns if column in tasks or column.endswith(AT)), None)
        if whose is not None:
            raise DataError(
                f"{path}: column {whose!r} names no annotator: call it {whose.rstrip(AT)}{AT}NAME, or leave it out"
            )
        others = [column for column in columns if AT not in column]
        split = [
            {**{key: row.get(key, "") for key in others}, **_own(row, tasks, name), ANNOTATOR: name}
            for row in rows
            for name in names
        ]
    else:
        others = [column for column in columns if column in RESERVED]
        tasks = [column for column in columns if column not in (*others, ANNOTATOR)]
        names = list(dict.fromkeys(str(row.get(ANNOTATOR) or "") for row in rows))
        if "" in names:
            raise DataError(f"{path}: a row names no annotator: fill in the column 'annotator'")
        split = [dict(row) for row in rows]
    return _grouped(path, split, names, tasks, others)


def _own(row: dict[str, str], tasks: list[str], name: str) -> dict[str, str]:
    return {task: row.get(f"{task}{AT}{name}", "") for task in tasks}


def _grouped(path: Path, rows: list[dict[str, str]], names: list[str], tasks: list[str], others: list[str]) -> Stacked:
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        mine = groups.setdefault(row.get("image", ""), {})
        if row[ANNOTATOR] in mine:
            raise DataError(f"{path}: {row[ANNOTATOR]} has two rows for {row.get('image')}: leave one of them")
        mine[row[ANNOTATOR]] = row
    table: list[dict[str, str]] = []
    places: list[list[int]] = []
    for image, by_name in groups.items():
        places.append(list(range(len(table), len(table) + len(by_name))))
        table += [{**row, "id": f"{image}{AT}{name}"} for name, row in by_name.items()]
    columns = tuple(dict.fromkeys(["id", *others, ANNOTATOR, *tasks]))
    return Stacked(Table(path, columns, table), places, names, tasks, [name for name in others if name != "id"])
