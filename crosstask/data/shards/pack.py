"""``crosstask pack``: the files of a table in a few large tar files, and a table of where they lie.

A shard is a WebDataset: sample after sample, each a member per file (``00000012.image.jpg``, ``00000012.depth.png``,
the bytes as they were) and ``00000012.json`` with all other cells, typed. ``table.jsonl`` is the table itself, whose
cells name members (:mod:`crosstask.remote.members`): whatever reads tables reads it, in any order.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from crosstask.data.table.places import PACKED
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError, RunError, UserError
from crosstask.reading import read_bytes, read_text
from crosstask.remote import shown
from crosstask.remote.members import cell_of
from crosstask.schema import parse_as
from crosstask.tasks.cells import value_of
from crosstask.writing import whole, write

_NOTES = ".packed"


@dataclass(frozen=True)
class Packed:
    """What :func:`pack` did: the table it wrote, how many shards there are, and how many of them were there already."""

    table: Path
    shards: int
    kept: int


def pack(
    table: Path | str,
    out: Path | str,
    shard_bytes: int = 2**28,
    confined: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Packed:
    """Pack a table.

    A shard is there whole or not at all, and one that is there already is kept: an interrupted command goes on.

    Args:
        table: the table.
        out: a folder for the shards and ``table.jsonl``.
        shard_bytes: a shard is closed by the sample that makes it so large.
        confined: refuse paths that leave the table's folder.
        progress: called with (samples done, samples in all) after every shard.

    Raises:
        DataError: a file is missing; names row and column.
        UserError: ``out`` holds another packing.
        RunError: a shard cannot be written.
    """
    source, out = read_table(table), Path(out)
    columns = source.file_columns()
    digest = hashlib.sha256(json.dumps([source.columns, source.rows, shard_bytes, columns]).encode()).hexdigest()
    _claim(out, digest)
    rows: list[dict[str, str]] = []
    shards = kept = 0
    try:
        while len(rows) < len(source):
            note = out / _NOTES / f"{shards:06d}.json"
            found = _noted(note, out / f"{shards:06d}.tar")
            if found is None:
                found = _shard(source, columns, len(rows), out / f"{shards:06d}.tar", shard_bytes, confined)
                write(note, json.dumps(found), durable=False)
            else:
                kept += 1
            shards += 1
            rows += [{**row, **cells} for row, cells in zip(source.rows[len(rows) :], found, strict=False)]
            if progress is not None:
                progress(len(rows), len(source))
        written = write_table(replace(source, path=out / PACKED, rows=rows))
    except OSError as error:
        raise RunError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}): make room; what is finished is "
            "kept"
        ) from None
    return Packed(written.path, shards, kept)


def _claim(out: Path, digest: str) -> None:
    """Say what is packed here, unless something else was."""
    file = out / _NOTES / "table.txt"
    if file.exists():
        if read_text(file) != digest:
            raise UserError(
                f"{out}: holds the shards of another table, or of one that has changed: remove it, or choose another "
                "--out"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already and not empty: choose another --out")
    else:
        write(file, digest)


def _noted(note: Path, shard: Path) -> list[dict[str, str]] | None:
    """The cells of a finished shard, None where there is none."""
    if not (note.exists() and shard.exists()):
        return None
    return parse_as(read_text(note), list[dict[str, str]], str(note), "remove it, its shard is made again")


def _shard(
    table: Table, columns: list[str], first: int, path: Path, shard_bytes: int, confined: bool
) -> list[dict[str, str]]:
    """Write one shard from a row on; the cells of its rows that name files."""
    cells: list[dict[str, str]] = []
    with whole(path) as part, tarfile.open(part, mode="w", format=tarfile.PAX_FORMAT) as tar:
        while first + len(cells) < len(table) and tar.offset < shard_bytes:
            index = first + len(cells)
            row, found = table.rows[index], {}
            for column in columns:
                if row.get(column):
                    content, ending = _content(table, index, column, confined)
                    name = f"{index:08d}.{column}{ending}"
                    found[column] = cell_of(path.name, _add(tar, name, content), len(content), name)
            others = {name: value_of(cell) for name, cell in row.items() if cell and name not in found}
            _add(tar, f"{index:08d}.json", json.dumps(others, ensure_ascii=False).encode())
            cells.append(found)
    return cells


def _content(table: Table, index: int, column: str, confined: bool) -> tuple[bytes, str]:
    path = table.resolve(index, column, confined)
    try:
        return read_bytes(path), path.suffix
    except OSError as error:
        where, reason = table.where(index, column), error.strerror or error
        raise DataError(f"{where}: {shown(path)}: cannot be read ({reason}): check the path") from None
    except (DataError, ValueError) as error:
        raise DataError(f"{table.where(index, column)}: {error}") from None


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a member with nothing in its header that depends on when and where; returns the offset of its content."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    header = len(info.tobuf(tar.format or tarfile.PAX_FORMAT, tar.encoding or "utf-8", tar.errors or "surrogateescape"))
    offset = tar.offset + header
    tar.addfile(info, io.BytesIO(content))
    return offset
