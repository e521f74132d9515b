"""Tables of the same images joined: labels of one beside those of another.

Rows belong together where their images are the same file. A label goes with its weight and its source. A cell that is
blank in one table is filled from another; a label that was given beats one that a network made, an equal one too.
Anything else that differs is a conflict.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from crosstask.data.table.table import SOURCE, WEIGHT, Table
from crosstask.errors import DataError
from crosstask.remote import is_url

Choice = Literal["stop", "first", "last"]
Row = dict[str, str]


class Merged(NamedTuple):
    """What :func:`merge` made.

    Attributes:
        table: the joined table.
        conflicts: a line for each cell that differs, with what was taken.
        filled: by column, how many cells of the first table's rows were filled.
        added: how many rows have images that the first table does not know.
    """

    table: Table
    conflicts: list[str]
    filled: dict[str, int]
    added: int


def merge(tables: Sequence[Table], path: Path | str, conflicts: Choice = "stop") -> Merged:
    """Join tables at ``path``: all images, the union of the columns, paths re-based.

    Args:
        tables: the first one's ids and order of rows stay.
        path: where the joined table will lie; it is not written.
        conflicts: what to do where two tables differ: nothing is joined (stop), or the first or the last one is taken.

    Raises:
        DataError: a table holds an image twice, or tables differ and ``conflicts`` is stop; a line for each conflict.
    """
    moved = [table.rebased(path) for table in tables]
    files = {column for table in moved for column in table.file_columns()}
    columns = tuple(dict.fromkeys(column for table in moved for column in table.columns))
    groups = _groups(columns)
    first = {key: dict(row) for key, row in _by_image(moved[0], tables[0]).items()}
    rows = dict(first)
    said: list[str] = []
    filled: dict[str, int] = {}
    owner = {(key, group[0]): tables[0].path for key in rows for group in groups}
    for table, original in zip(moved[1:], tables[1:], strict=True):
        for key, new in _by_image(table, original).items():
            if key not in rows:
                rows[key] = dict(new)
                owner |= {(key, group[0]): original.path for group in groups}
                continue
            for group in groups:
                column, old = group[0], rows[key]
                verdict = _verdict(old, new, column, column in files, moved[0].folder)
                if verdict == "conflict":
                    taken = {"stop": "", "first": ": the first is taken", "last": ": the last is taken"}[conflicts]
                    said.append(
                        f"{old['image']}, column {column}: {owner[key, column]} says {old[column]}, {original.path} "
                        f"says {new[column]}{taken}"
                    )
                if verdict == "new" or (verdict == "conflict" and conflicts == "last"):
                    if key in first and not old.get(column):
                        filled[column] = filled.get(column, 0) + 1
                    old.update({name: new.get(name, "") for name in group})
                    owner[key, column] = original.path
    if said and conflicts == "stop":
        raise DataError("\n".join([*said, f"{len(said)} conflicts: choose with --conflicts first or last"]))
    whole = [{column: row.get(column, "") for column in columns} for row in rows.values()]
    return Merged(Table(Path(path), columns, _named(whole, len(first))), said, filled, len(rows) - len(first))


def _groups(columns: Iterable[str]) -> list[tuple[str, ...]]:
    """The columns that go together, the label first; ``id`` and ``image`` belong to the row."""
    there = set(columns)
    tied = {name for name in there for ending in (WEIGHT, SOURCE) if name.removesuffix(ending) in there - {name}}
    plain = [name for name in columns if name not in tied | {"id", "image"}]
    return [(name, *(name + ending for ending in (WEIGHT, SOURCE) if name + ending in there)) for name in plain]


def _verdict(old: Row, new: Row, column: str, file: bool, folder: Path) -> Literal["old", "new", "conflict"]:
    had, has = old.get(column, ""), new.get(column, "")
    if not has:
        return "old"
    if not had:
        return "new"
    made = bool(old.get(column + SOURCE)), bool(new.get(column + SOURCE))
    same = had == has or (file and _real(folder, had) == _real(folder, has))
    otherwise = "old" if same else "conflict"
    return {(True, False): "new", (False, True): "old"}.get(made, otherwise)  # type: ignore[return-value]


def _by_image(moved: Table, original: Table) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in moved.rows:
        key = _real(moved.folder, row["image"])
        if key in found:
            raise DataError(
                f"{original.path}: {row['image']} is in rows {found[key]['id']!r} and {row['id']!r}: rows are joined "
                "by their images, so leave one of them"
            )
        found[key] = row
    return found


def _real(folder: Path, cell: str) -> str:
    return cell if is_url(cell) else os.path.realpath(os.path.join(folder, cell))


def _named(rows: list[Row], count: int) -> list[Row]:
    """Ids of further rows give way to those of the first table."""
    taken = {row["id"] for row in rows[:count]}
    for row in rows[count:]:
        row["id"] = row["id"] if row["id"] not in taken else row["image"]
        taken.add(row["id"])
    return rows
