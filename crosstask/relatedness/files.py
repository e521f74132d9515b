"""Tables of relatedness as files, and those that ship with the package.

A CSV file has a row per class and a column per attribute; the name of a class is in the first column::

    class,AU1,AU6,AU12
    happiness,0,0.51,1
    contempt,,,

0 is "not related", a blank cell "unknown". A YAML file lists what is related; what a class does not list is not related
to it, ``null`` is unknown::

    happiness: {AU6: 0.51, AU12: 1}
    contempt: null
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import torch

from crosstask.data.table.formats import format_of
from crosstask.errors import DataError, UserError
from crosstask.reading import read_yaml
from crosstask.relatedness.table import Relatedness
from crosstask.shipped_tables import find_relatedness
from crosstask.typed import plain
from crosstask.writing import write

YAML = (".yaml", ".yml")


def read_relatedness(source: str | Path, probabilities: bool = True) -> Relatedness:
    """Read a table, or one that ships with the package by its name (``du2014_basic``).

    Args:
        source: path of a CSV or YAML file (also JSONL, Parquet), or the name of a shipped table.
        probabilities: the cells must be in [0, 1].

    Raises:
        DataError: the file is missing or broken, a row or column is there twice, or a cell is not valid; one line.
    """
    path = find_relatedness(source)
    table = _read_yaml(path) if path.suffix.lower() in YAML else _read_rows(path)
    return table.require_probabilities() if probabilities else table


def write_relatedness(table: Relatedness, path: str | Path) -> None:
    """Write a CSV file that :func:`read_relatedness` reads back; six digits."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *table.attributes])
    for name, row in zip(table.classes, table.values.tolist(), strict=True):
        writer.writerow([name, *("" if value != value else f"{value:.6g}" for value in row)])
    try:
        write(path, text.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot write the table ({error.strerror or error})") from None


def _read_rows(path: Path) -> Relatedness:
    columns, rows, first = format_of(path).read(path)
    if len(columns) < 2 or not rows:
        raise DataError(
            f"{path}: a table of relatedness needs the classes in its first column and a column per attribute"
        )
    name, *attributes = columns
    blank = next((number for number, row in enumerate(rows, first) if not row[name]), None)
    if blank is not None:
        raise DataError(f"{path}, row {blank}: the name of the class is blank: fill it in, or remove the row")
    values = [[_number(row[column], path, row[name], column) for column in attributes] for row in rows]
    return Relatedness(str(path), tuple(row[name] for row in rows), tuple(attributes), _tensor(values))


def _read_yaml(path: Path) -> Relatedness:
    try:
        content = plain(read_yaml(path))
    except UserError as error:
        raise DataError(str(error)) from None
    if not isinstance(content, dict) or not all(row is None or isinstance(row, dict) for row in content.values()):
        raise DataError(f"{path}: write each class as  CLASS: {{ATTRIBUTE: 0.7, ...}}, or null where nothing is known")
    rows = {
        str(name): None if row is None else {str(key): cell for key, cell in row.items()}
        for name, row in content.items()
    }
    attributes = list(dict.fromkeys(attribute for row in rows.values() for attribute in row or {}))
    if not attributes:
        raise DataError(f"{path}: no attribute is named: write each class as  CLASS: {{ATTRIBUTE: 0.7}}")

    def cell(row: dict[str, Any] | None, name: str, attribute: str) -> float:
        value = None if row is None else row.get(attribute, 0)
        return _number("" if value is None else str(value), path, name, attribute)

    values = [[cell(row, name, attribute) for attribute in attributes] for name, row in rows.items()]
    return Relatedness(str(path), tuple(rows), tuple(attributes), _tensor(values))


def _number(cell: str, path: Path, row: str, column: str) -> float:
    try:
        value = float(cell) if cell else 0.0
        if not math.isfinite(value):
            raise ValueError
        return value if cell else math.nan
    except ValueError:
        raise DataError(
            f"{path}, row {row!r}, column {column!r}: {cell!r} is not a number: write one, or leave the cell blank"
        ) from None


def _tensor(values: list[list[float]]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
