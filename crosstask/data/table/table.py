"""The table of files: one row per sample, one column per task, a blank cell where there is no label.

    image,split,semantic,depth,tags
    rgb/0001.jpg,train,masks/0001.png,,
    rgb/0002.jpg,train,,depth/0002.png,sofa;lamp
    rgb/0003.jpg,test,masks/0003.png,depth/0003.png,-

Paths are relative to the folder of the table. Cells are text, which keeps the value that JSON or Parquet gave it;
labels are only opened when a sample is asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.table.formats import Rows, format_of
from crosstask.data.table.places import located, packed, table_file
from crosstask.errors import DataError, nearest
from crosstask.remote import is_url, path_of, shown, url_of
from crosstask.remote.members import is_member
from crosstask.remote.urls import redacted
from crosstask.writing import write

INTRINSICS = ("fx", "fy", "cx", "cy")
ORIGIN = "origin"
"""Column that says which of several tables a row is from, where they store labels differently."""
RESERVED = frozenset({"image", "split", "id", "regions", ORIGIN, *INTRINSICS})
"""Columns with a meaning of their own; no task may have such a name."""
WEIGHT = ".weight"
"""Ending of the column that holds the weights of a task's labels."""
SOURCE = ".source"
"""Ending of the column that says who made a task's label, where nobody gave it: trained on, never measured on."""
DERIVED = "_derived"
"""Ending of a column, and of its task, whose labels were derived from another task's: trained on, never measured."""


@dataclass(frozen=True)
class Table:
    """Rows of cells, texts that may keep a value (:mod:`crosstask.tasks.cells`); always valid: some rows, an image in
    each, no id twice.

    Attributes:
        path: the file of the table; cells are relative to its folder. The file need not exist yet.
        columns: names of the columns, in the order they are written.
        rows: one dict per sample, column -> text, ``""`` where blank. ``id`` is filled in where it is blank: the stem
            of the image's path, or that whole path where several rows share the stem.
        first: the number of the first row as people count it, used in messages (2 below a header).

    Raises:
        DataError: no rows, no ``image`` column, a blank image, a column or an id twice.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Rows
    first: int = 2

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(self.columns).items() if count > 1]
        if twice:
            raise DataError(f"{self.path}: column {twice[0]!r} is there twice: rename or remove one")
        if not self.rows:
            raise DataError(f"{self.path}: the table is empty: it needs one row per image")
        if "image" not in self.columns:
            found = ", ".join(self.columns)
            raise DataError(f"{self.path}: no column 'image' among {found}: give the column of image paths that name")
        blank = next((index for index, row in enumerate(self.rows) if not row.get("image")), None)
        if blank is not None:
            raise DataError(f"{self.path}, row {blank + self.first}: the image is blank: fill it in or remove the row")
        object.__setattr__(self, "columns", ("id", *self.columns) if "id" not in self.columns else tuple(self.columns))
        object.__setattr__(
            self, "rows", [{**row, "id": name} for row, name in zip(self.rows, self._ids(), strict=True)]
        )

    def _ids(self) -> list[str]:
        stems = Counter(_stem(row) for row in self.rows)
        ids: dict[str, int] = {}
        for index, row in enumerate(self.rows):
            stem = _stem(row)
            name = row.get("id") or (stem if stems[stem] == 1 else row["image"])
            if name in ids:
                raise DataError(
                    f"{self.path}, row {index + self.first}: id {name!r} is that of row {ids[name] + self.first} too: "
                    "merge the rows, or give each an id of its own in a column 'id'"
                )
            ids[name] = index
        return list(ids)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def folder(self) -> Path:
        """The folder that cells are relative to."""
        return self.path.parent

    @property
    def ids(self) -> list[str]:
        """The id of each row."""
        return [row["id"] for row in self.rows]

    @property
    def splits(self) -> list[str]:
        """The names in the column ``split``, in order of appearance; empty without that column."""
        return [name for name in dict.fromkeys(row.get("split", "") for row in self.rows) if name]

    def where(self, row: int, column: str) -> str:
        """Table, row id and column, for messages."""
        return f"{shown(self.path)}, row {self.rows[row]['id']!r}, column {column}"

    def select(self, split: str | Sequence[str] | None) -> Table:
        """The rows of one split or of several, all rows for ``None``.

        Raises:
            DataError: no row has this split.
        """
        if split is None:
            return self
        names = (split,) if isinstance(split, str) else tuple(split)
        rows = [row for row in self.rows if row.get("split") in names]
        if not rows:
            known = nearest(names[0], self.splits) if self.splits else "the table has no column 'split'"
            raise DataError(f"{self.path}: no row of split {', '.join(names)!r}: {known}")
        return replace(self, rows=rows)

    def only(self, ids: Container[str]) -> Table:
        """The rows whose id is among ``ids``."""
        return replace(self, rows=[row for row in self.rows if row["id"] in ids])

    def resolve(self, row: int, column: str, confined: bool = False) -> Path:
        """The absolute path of a cell that names a file; for a URL that of its file in the cache, where
        :func:`~crosstask.reading.regular` brings it. Whether the file exists is not looked at.

        Args:
            row: index of the row.
            column: name of the column; its cell is not blank.
            confined: refuse paths that lead out of the table's folder (absolute, through ``..`` or a link), for
                tables that come from someone else.

        Raises:
            DataError: the path leaves the table's folder, or it is a URL, and ``confined`` is set.
        """
        cell = self.rows[row][column]
        if is_url(cell):
            return self._remote(row, column, confined)
        path = Path(os.path.abspath(os.path.join(self.folder, cell)))
        if "\\" in cell and not path.exists():  # a path of Windows
            path = Path(os.path.abspath(os.path.join(self.folder, cell.replace("\\", "/"))))
        if confined and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder)):
            raise DataError(
                f"{self.where(row, column)}: {cell} leads out of the table's folder: move the file, or allow it "
                "with confined: false"
            )
        return path

    def _remote(self, row: int, column: str, confined: bool) -> Path:
        if confined:
            raise DataError(
                f"{self.where(row, column)}: {redacted(self.rows[row][column])} leads out of the table's folder: "
                "download the file, or allow it with confined: false"
            )
        return path_of(self.rows[row][column], self.folder)

    def coverage(self, tasks: Sequence[str]) -> Tensor:
        """Which cells are filled: bool (rows, tasks); all False for a task without a column."""
        filled = [[bool(row.get(task)) for task in tasks] for row in self.rows]
        return torch.tensor(filled, dtype=torch.bool).reshape(len(self), len(tasks))

    def given(self, tasks: Sequence[str]) -> Tensor:
        """Which labels were given, not made by a network: filled cells without a source, bool (rows, tasks)."""
        made = [task + SOURCE for task in tasks]
        return self.coverage(tasks) & ~self.coverage(made)

    def masked(self, tasks: Sequence[str], keep: Tensor) -> Table:
        """The table with the labels outside ``keep`` (bool, rows x tasks) made blank, weights and sources too."""
        rows = []
        for row, kept in zip(self.rows, keep.tolist(), strict=True):
            dropped = {task for task, keeps in zip(tasks, kept, strict=True) if not keeps}
            dropped |= {task + ending for task in dropped for ending in (WEIGHT, SOURCE)}
            rows.append({column: "" if column in dropped else cell for column, cell in row.items()})
        return replace(self, rows=rows)

    def file_columns(self) -> list[str]:
        """The columns whose cells name files: ``image``, ``regions`` and those where one of the first cells does."""

        def holds_files(column: str) -> bool:
            cells = [row[column] for row in self.rows if row.get(column)][:100]
            return any(
                is_url(cell) or is_member(cell) or os.path.isfile(self.folder / cell.replace("\\", os.sep))
                for cell in cells
            )

        known = {"image", "regions"}
        return [name for name in self.columns if name in known or (name not in RESERVED and holds_files(name))]

    def as_file(self, path: Path | str) -> bytes:
        """What a file of the table holds at ``path``, whose ending says in which format.

        Raises:
            DataError: the ending is unknown.
        """
        moved = self.rebased(path)
        return format_of(moved.path).write(moved.columns, moved.rows)

    def rebased(self, path: Path | str) -> Table:
        """The same table as a file elsewhere: relative paths are rewritten to be relative to the new folder."""
        path = Path(path)
        old, new = os.path.abspath(self.folder), os.path.abspath(path.parent)
        if old == new:
            return replace(self, path=path)
        files = self.file_columns()

        def move(row: dict[str, str], column: str) -> str:
            cell = row.get(column, "")
            if not cell or os.path.isabs(cell) or is_url(cell):
                return cell
            return Path(os.path.relpath(os.path.join(old, cell.replace("\\", "/")), new)).as_posix()

        return replace(
            self, path=path, rows=[{**row, **{column: move(row, column) for column in files}} for row in self.rows]
        )


def _stem(row: Mapping[str, str]) -> str:
    return Path(row["image"].replace("\\", "/")).stem


def concatenate(tables: Sequence[Table], path: Path | str) -> Table:
    """Several tables as one at ``path``: all rows, the union of the columns, paths re-based.

    An id that several tables use is replaced by the path of the image.

    Raises:
        DataError: an image is in two of the tables under the same id.
    """
    moved = [table.rebased(path) for table in tables]
    columns = tuple(dict.fromkeys(column for table in moved for column in table.columns))
    rows = [{column: row.get(column, "") for column in columns} for table in moved for row in table.rows]
    uses = Counter(row["id"] for row in rows)
    return Table(
        Path(path), columns, [{**row, "id": row["id"] if uses[row["id"]] == 1 else row["image"]} for row in rows]
    )


def read_table(path: Path | str) -> Table:
    """Read a ``.csv``, ``.jsonl`` or ``.parquet`` table, or that of a folder of shards. It may be at a URL, to which
    the paths in its cells are relative then.

    Raises:
        DataError: the file is missing, cannot be decoded or is not a valid :class:`Table`; names the row.
    """
    place = packed(os.fspath(path))
    path = table_file(place)
    form = format_of(path)
    try:
        columns, rows, first = form.read(path)
    except OSError as error:
        remedy = "check the path" if isinstance(error, FileNotFoundError) else "give the path of a readable file"
        raise DataError(f"{path}: cannot read the table ({error.strerror or error}): {remedy}") from None
    if url_of(path) is not None:
        named = [column for column in columns if column not in RESERVED or column in ("image", "regions")]
        rows = located(rows, named, place.rpartition("/")[0])
    return Table(path, tuple(columns), rows, first)


def write_table(table: Table, path: Path | str | None = None) -> Table:
    """Write a table, by default to its own path; relative paths are re-based when that is another folder.

    The file is replaced at once or not at all.

    Returns:
        The table as it was written.

    Raises:
        DataError: the ending of ``path`` is unknown, or the file cannot be written.
    """
    moved = table.rebased(table.path if path is None else path)
    if url_of(moved.path) is not None:
        raise DataError(f"{shown(moved.path)}: a table is not written to a URL: give a file of this machine")
    try:
        write(moved.path, moved.as_file(moved.path))
    except OSError as error:
        raise DataError(f"{moved.path}: cannot write the table ({error.strerror or error})") from None
    return moved
