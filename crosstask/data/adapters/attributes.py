"""Categories, attributes and scalars of whole images from one table, as affect data sets come."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.table.formats import format_of
from crosstask.data.table.table import Table
from crosstask.data.table.tag_columns import NONE, UNSURE
from crosstask.errors import DataError, nearest
from crosstask.tasks.cells import BLANKS, Marks, number, value_of


class Attributes(Adapter):
    """A table (CSV, JSONL or Parquet) with the file of each image and columns of annotations.

    image,split,expression,AU1,AU2,valence,arousal
    a/0001.jpg,train,3,1,0,-0.2,0.6
    a/0002.jpg,train,-1,-1,1,-5,-5         no expression; AU1 not annotated; no valence and arousal

    Columns of the result: ``category`` (a name or an index; blank and -1 are no label), ``tags`` (those that are
    present; ``?AU1`` where AU1 was not annotated; blank where none was) and ``scalars``.

    Traps: data sets mark "not annotated" by -1, 9, 999 or a blank, scalars by -5 or -2; some (CelebA) write -1 for
    *absent*: then give ``--absent -1``. A mark may be that of one column alone, ``COLUMN=VALUE``: expression=-1.
    Numbers agree however they are written (3.0 is 3); NaN, None and NA are blank. Any other value is an error,
    never a guess.

    Args:
        root: the table of annotations.
        image: column of the image files.
        images: folder the files are relative to; that of the table by default.
        split: column of the split.
        category: column of the category.
        tags: columns of attributes, separated by commas.
        scalars: columns of numbers, separated by commas.
        present: what an attribute says when it is there, 1 by default; several are separated by commas.
        absent: what it says when it is not, 0 by default.
        unknown: what an attribute or a category says when it was not annotated, beside a blank; -1 by default, where
            that does not say absent.
        missing: numbers that stand for an unknown scalar, beside a blank.
    """

    source: ClassVar = Source("the annotations", "the page of the data set")

    def __init__(
        self,
        root: str,
        *,
        image: str = "image",
        images: str | None = None,
        split: str | None = None,
        category: str | None = None,
        tags: list[str] | None = None,
        scalars: list[str] | None = None,
        present: list[str] | None = None,
        absent: list[str] | None = None,
        unknown: list[str] | None = None,
        missing: list[str] | None = None,
    ) -> None:
        self.path = Path(root)
        self.folder = self.path.parent if images is None else Path(images)
        self.image, self.split, self.category = image, split, category
        self.tags, self.scalars = tags or [], scalars or []
        columns = [name for name in (category, *self.tags, *self.scalars) if name is not None]
        self.present = _ByColumn(present, ["1"], "--present", self.tags)
        self.absent = _ByColumn(absent, ["0"], "--absent", self.tags)
        self.unknown = _ByColumn(unknown, ["-1"], "--unknown", columns)
        self.missing = _ByColumn(missing, [], "--missing", self.scalars)

    @override
    def table(self, output: Output) -> Table:
        columns, rows, first = format_of(self.path).read(self.source.require(self.path, "the labels"))
        wanted = [self.image, self.split, self.category, *self.tags, *self.scalars]
        for name in wanted:
            if name is not None and name not in columns:
                raise DataError(f"{self.path}: no column {name!r}: {nearest(name, columns)}")
        if not (self.category or self.tags or self.scalars):
            raise DataError(f"{self.path}: no labels asked for: give --category, --tags or --scalars, names of columns")
        blank = next((line for line, row in enumerate(rows, first) if not row[self.image]), None)
        if blank is not None:
            raise DataError(
                f"{self.path}, row {blank}: column {self.image} is blank: fill in the image, or drop the row"
            )
        self._unmistakable(rows)
        self.source.complete([self.folder / _slashes(row[self.image]) for row in rows], "images")
        return table_of([self._row(row, line, output) for line, row in enumerate(rows, first)], output)

    def _unmistakable(self, rows: list[dict[str, str]]) -> None:
        """Refuse a mark of unknown attributes that may be a category as well.

        Raises:
            DataError: one stands in the column of the category.
        """
        if self.category is None or not self.tags:
            return
        for mark in self.unknown.everywhere:
            value = number(mark)
            count = sum(value_of(row[self.category]) in Marks([mark]) for row in rows)
            if count and value is not None and value >= 0:
                raise DataError(
                    f"--unknown {mark}: {count} rows hold {mark} in column {self.category} too, where it may be a "
                    f"category: say of which columns, --unknown {self.tags[0]}={mark} or {self.category}={mark}"
                )

    def _row(self, row: dict[str, str], line: int, output: Output) -> dict[str, str]:
        where = f"{self.path}, row {line}"
        made = {"image": output.cell(self.folder / _slashes(row[self.image]))}
        if self.split is not None:
            made["split"] = row[self.split]
        if self.category is not None:
            made["category"] = self._category(row[self.category], f"{where}, column {self.category}")
        if self.tags:
            made["tags"] = self._tags(row, where)
        if self.scalars:
            values = [self._scalar(name, row[name], f"{where}, column {name}") for name in self.scalars]
            made["scalars"] = ";".join(values) if any(values) else ""
        return made

    def _category(self, cell: str, where: str) -> str:
        assert self.category is not None
        if cell in BLANKS or value_of(cell) in self.unknown[self.category]:
            return ""
        if isinstance(value_of(cell), (list, dict)):
            raise DataError(f"{where}: a category is one name or number, found {cell:.60}")
        value = number(value_of(cell))
        return cell if value is None or value != value or value != int(value) else str(int(value))

    def _tags(self, row: dict[str, str], where: str) -> str:
        marks, annotated = [], False
        for name in self.tags:
            state = self._state(name, row[name], f"{where}, column {name}")
            annotated |= state is not None
            if state is not False:
                marks.append(name if state else UNSURE + name)
        return (";".join(marks) or NONE) if annotated else ""

    def _state(self, name: str, cell: str, where: str) -> bool | None:
        """Present, absent or (None) not annotated."""
        value = value_of(cell)
        value = number(value) if isinstance(value, bool) or str(value).lower() in ("true", "false") else value
        if cell in BLANKS:
            return None
        for state, marks in ((True, self.present[name]), (False, self.absent[name]), (None, self.unknown[name])):
            if value in marks:
                return state
        known = "; ".join(
            f"{', '.join(map(str, marks[name].values)) or 'a blank'} ({meaning})"
            for marks, meaning in ((self.present, "present"), (self.absent, "absent"), (self.unknown, "not annotated"))
        )
        raise DataError(
            f"{where}: an attribute is {cell}: expected {known}: give --present, --absent or --unknown, for one column "
            f"as {name}={cell}"
        )

    def _scalar(self, name: str, cell: str, where: str) -> str:
        if cell in BLANKS or value_of(cell) in self.missing[name] or value_of(cell) in self.unknown.own(name):
            return ""
        value = number(value_of(cell)) if not isinstance(value_of(cell), (list, dict)) else None
        if value is None:
            raise DataError(f"{where}: {cell!r} is not a number: correct the cell, or leave it blank")
        return "" if math.isnan(value) else cell


class _ByColumn:
    """Marks of all columns, and of some alone (``COLUMN=VALUE``), which then hold beside those of all."""

    def __init__(self, given: list[str] | None, default: list[str], flag: str, columns: list[str]) -> None:
        self._own: dict[str, list[float | str]] = {}
        self.everywhere: list[float | str] = []
        for mark in given or ():
            name, equals, value = mark.rpartition("=")
            if equals and name not in columns:
                raise DataError(f"{flag} {mark}: no column {name!r} is asked for: {nearest(name, columns)}")
            (self._own.setdefault(name, []) if equals else self.everywhere).append(value.strip())
        self.everywhere = self.everywhere or list(default)

    def __getitem__(self, column: str) -> Marks:
        return Marks([*self.everywhere, *self._own.get(column, [])])

    def own(self, column: str) -> Marks:
        """The marks of one column alone."""
        return Marks(self._own.get(column, []))


def _slashes(cell: str) -> str:
    """A path as it is written on this system, Windows' as well."""
    return cell.replace("\\", "/")
