"""Where tables are: files, folders of shards, URLs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crosstask.data.table.formats import FORMATS, Rows
from crosstask.remote import is_url, path_of, present
from crosstask.remote.members import is_member

PACKED = "table.jsonl"
"""The table in a folder of shards."""
FILES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pfm", ".gif", ".jp2", ".npy", ".npz"}
)
"""Endings by which a cell of a table at a URL is a file, for nobody looks whether there is one."""


def packed(path: str) -> str:
    """The table of a folder of shards (see :mod:`crosstask.data.shards`), also of a URL that has no ending of a table;
    any other path as it is."""
    if is_url(path):
        return path if Path(path.partition("?")[0]).suffix.lower() in FORMATS else f"{path.rstrip('/')}/{PACKED}"
    inside = os.path.join(path, PACKED)
    return inside if os.path.isfile(inside) else path


def table_file(place: str) -> Path:
    """The file of a table; one at a URL is fetched anew, for it may have changed.

    Raises:
        DataError: it cannot be fetched.
    """
    return present(path_of(place, Path.cwd()), anew=True) if is_url(place) else Path(place)


def located(rows: Rows, columns: Sequence[str], base: str) -> Rows:
    """Rows of a table at a URL: cells that name files are URLs, too.

    Args:
        rows: the rows.
        columns: those that may name files; ``image`` and ``regions`` always do.
        base: the URL of the folder of the table.
    """

    def move(column: str, cell: str) -> str:
        named = column in ("image", "regions") or is_member(cell) or Path(cell).suffix.lower() in FILES
        return f"{base}/{cell.lstrip('/')}" if cell and named and not is_url(cell) else cell

    return [{**row, **{column: move(column, row.get(column, "")) for column in columns}} for row in rows]
