"""Categories, attributes and scalars of whole images from one table, as affect data sets come."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.table.entries import NONE, UNSURE
from crosstask.data.table.formats import format_of
from crosstask.data.table.table import Table
from crosstask.errors import DataError, nearest


class Attributes(Adapter):
    """A table (CSV, JSONL or Parquet) with the file of each image and columns of annotations.

    image,split,expression,AU1,AU2,valence,arousal
    a/0001.jpg,train,3,1,0,-0.2,0.6
    a/0002.jpg,train,-1,-1,1,-5,-5         no expression; AU1 not annotated; no valence and arousal

    Columns of the result: ``category`` (a name or an index; blank and -1 are no label), ``tags`` (those that are
    present; ``?AU1`` where AU1 was not annotated; blank where none was) and ``scalars``.

    Traps: data sets mark "not annotated" by -1, 9, 999 or a blank, scalars by -5 or -2; some (CelebA) write -1 for
    *absent*: then give ``--absent -1 --unknown 999``. A value that is none of these is an error, never a guess.

    Args:
        root: the table of annotations.
        image: column of the image files.
        images: folder the files are relative to; that of the table by default.
        split: column of the split.
        category: column of the category.
        tags: columns of attributes, separated by commas.
        scalars: columns of numbers, separated by commas.
        present: what an attribute says when it is there.
        absent: what it says when it is not.
        unknown: what it says when it was not annotated, beside a blank; also a category that is not known.
        missing: number that stands for an unknown scalar, beside a blank.
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
        present: str = "1",
        absent: str = "0",
        unknown: list[str] | None = None,
        missing: float | None = None,
    ) -> None:
        self.path = Path(root)
        self.folder = self.path.parent if images is None else Path(images)
        self.image, self.split, self.category = image, split, category
        self.tags, self.scalars = tags or [], scalars or []
        self.present, self.absent = float(present), float(absent)
        self.unknown = {"", *(["-1", "-1.0"] if unknown is None else unknown)}
        self.missing = missing

    def table(self, output: Output) -> Table:
        columns, rows, first = format_of(self.path).read(self.source.require(self.path, "the labels"))
        wanted = [self.image, self.split, self.category, *self.tags, *self.scalars]
        for name in wanted:
            if name is not None and name not in columns:
                raise DataError(f"{self.path}: no column {name!r}: {nearest(name, columns)}")
        if not (self.category or self.tags or self.scalars):
            raise DataError(f"{self.path}: no labels asked for: give --category, --tags or --scalars, names of columns")
        blank = next((number for number, row in enumerate(rows, first) if not row[self.image]), None)
        if blank is not None:
            raise DataError(
                f"{self.path}, row {blank}: column {self.image} is blank: fill in the image, or drop the row"
            )
        self.source.complete([self.folder / row[self.image] for row in rows], "images")
        return table_of([self._row(row, number, output) for number, row in enumerate(rows, first)], output)

    def _row(self, row: dict[str, str], number: int, output: Output) -> dict[str, str]:
        where = f"{self.path}, row {number}"
        made = {"image": output.cell(self.folder / row[self.image])}
        if self.split is not None:
            made["split"] = row[self.split]
        if self.category is not None:
            made["category"] = "" if row[self.category] in self.unknown else row[self.category]
        if self.tags:
            made["tags"] = self._tags(row, where)
        if self.scalars:
            values = [self._scalar(row[name], f"{where}, column {name}") for name in self.scalars]
            made["scalars"] = ";".join(values) if any(values) else ""
        return made

    def _tags(self, row: dict[str, str], where: str) -> str:
        marks, annotated = [], False
        for name in self.tags:
            state = self._state(row[name], f"{where}, column {name}")
            annotated |= state is not None
            if state is not False:
                marks.append(name if state else UNSURE + name)
        return (";".join(marks) or NONE) if annotated else ""

    def _state(self, cell: str, where: str) -> bool | None:
        """Present, absent or (None) not annotated."""
        if cell in self.unknown:
            return None
        value = _number(cell, where)
        if value not in (self.present, self.absent):
            raise DataError(
                f"{where}: an attribute is {cell}: expected {self.present:g} (present), {self.absent:g} (absent) or "
                f"{', '.join(sorted(self.unknown - {''})) or 'a blank'} (not annotated): give --present, --absent or "
                "--unknown"
            )
        return value == self.present

    def _scalar(self, cell: str, where: str) -> str:
        value = _number(cell, where) if cell else math.nan
        return "" if value == self.missing or math.isnan(value) else cell


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{where}: {cell!r} is not a number: correct the cell, or leave it blank") from None
