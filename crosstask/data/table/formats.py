"""Table files: CSV, JSONL and Parquet to and from columns and rows of cells. What the cells mean is not known here.

A cell is a text. One that was read from a number, a boolean, a list or a mapping (JSON, Parquet, or a list in a cell of
CSV) is a :class:`~crosstask.tasks.cells.Typed` text, which keeps the value; null and NaN are blank.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from crosstask.errors import DataError, nearest
from crosstask.reading import regular, unique_keys
from crosstask.tasks.cells import from_text, typed, value_of

Rows = list[dict[str, str]]


class Format(NamedTuple):
    """How one kind of table file is read and written.

    Attributes:
        read: file -> (columns, rows, number of the first row as the user counts it).
        write: (columns, rows) -> the bytes of the file.
    """

    read: Callable[[Path], tuple[list[str], Rows, int]]
    write: Callable[[Sequence[str], Rows], bytes]


def format_of(path: Path) -> Format:
    """The format that the ending of ``path`` names.

    Raises:
        DataError: the ending is not that of a table.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(
            f"{path}: {suffix or 'a name without an ending'!r} is no kind of table: {nearest(suffix, FORMATS)}"
        )
    return FORMATS[suffix]


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        DataError: it holds a NUL byte, or is not UTF-8.
    """
    raw = regular(path).read_bytes()
    if b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: holds a NUL byte: not a text file: save the table as text in UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8: save the table as UTF-8"
        ) from None


def _read_csv(path: Path) -> tuple[list[str], Rows, int]:
    text = text_of(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    columns: list[str] = []
    rows: Rows = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            cells = [from_text(cell) for cell in cells]
            if not columns:
                columns = _header(path, cells)
                continue
            while len(cells) > len(columns) and not cells[-1]:  # as spreadsheets write them
                cells.pop()
            if len(cells) > len(columns):
                raise DataError(
                    f"{path}, row {len(rows) + 2}: {len(cells)} cells for {len(columns)} columns "
                    f"(the first too many is {cells[len(columns)]!r}): put cells that hold a comma in quotes"
                )
            rows.append(dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True)))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a valid CSV file ({error}): mend the line, or save the table anew"
        ) from None
    return columns, rows, 2


def _separator(text: str) -> str:
    """What separates the columns: a comma, or what spreadsheets of some countries write instead."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return next((mark for mark in ";\t" if mark in header and "," not in header), ",")


def _header(path: Path, cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    if "" in cells:
        raise DataError(
            f"{path}: column {cells.index('') + 1} has no name: give it one in the first row (or leave it out: "
            "to_csv(index=False) of pandas)"
        )
    return cells


def _write_csv(columns: Sequence[str], rows: Rows) -> bytes:
    text = io.StringIO(newline="")
    returns = any("\r" in cell for row in rows for cell in row.values())  # which are not put in quotes by themselves
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _row(path: Path, number: int, values: dict[str, Any]) -> dict[str, str]:
    row = {}
    for column, value in values.items():
        try:
            row[column.strip()] = typed(value)
        except ValueError as error:
            raise DataError(f"{path}, row {number}, column {column}: holds {error}") from None
    return row


def _read_jsonl(path: Path) -> tuple[list[str], Rows, int]:
    def lines() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(text_of(path).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line, object_pairs_hook=unique_keys)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, row {number}: not a valid JSON line ({error})") from None
            if not isinstance(values, dict):
                raise DataError(f"{path}, row {number}: holds a {type(values).__name__}: write one object per line")
            yield number, values

    found = [_row(path, number, values) for number, values in lines()]
    columns = list(dict.fromkeys(column for row in found for column in row))
    return columns, [{column: row.get(column, "") for column in columns} for row in found], 1


def _write_jsonl(columns: Sequence[str], rows: Rows) -> bytes:
    lines = ({column: value_of(row[column]) for column in columns if row.get(column)} for row in rows)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError("Parquet tables need pyarrow: pip install 'crosstask[parquet]', or use CSV or JSONL") from None
    return pyarrow


def _read_parquet(path: Path) -> tuple[list[str], Rows, int]:
    arrow = _pyarrow()
    try:
        # ParquetFile reads this file alone: read_table would take key=value folders of its path for columns.
        content = arrow.parquet.ParquetFile(path).read()
    except arrow.ArrowException as error:
        raise DataError(f"{path}: not a valid Parquet file ({str(error).splitlines()[0]})") from None
    columns = [name.strip() for name in content.column_names]
    values = [column.to_pylist() for column in content.columns]
    rows = [
        _row(path, number, dict(zip(columns, row, strict=True)))
        for number, row in enumerate(zip(*values, strict=True), 1)
    ]
    return columns, rows, 1


def _write_parquet(columns: Sequence[str], rows: Rows) -> bytes:
    arrow = _pyarrow()
    content = {column: arrow.array([row.get(column) or None for row in rows], arrow.string()) for column in columns}
    sink = io.BytesIO()
    arrow.parquet.write_table(arrow.table(content), sink)
    return sink.getvalue()


FORMATS: dict[str, Format] = {
    ".csv": Format(_read_csv, _write_csv),
    ".jsonl": Format(_read_jsonl, _write_jsonl),
    ".parquet": Format(_read_parquet, _write_parquet),
}
