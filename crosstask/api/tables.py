"""Tables given as objects, on disk where commands read them."""

from __future__ import annotations

from pathlib import Path

from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import UserError


def file_of(table: str | Path | Table) -> Path:
    """The file of a table, which is written to its path if it is not there.

    Raises:
        UserError: there is another table at its path.
    """
    if not isinstance(table, Table):
        return Path(table)
    if not table.path.exists():
        table.path.parent.mkdir(parents=True, exist_ok=True)
        return write_table(table).path
    if read_table(table.path) != table:
        raise UserError(f"{table.path}: holds other rows than the table given: write it first, with write_table")
    return table.path
