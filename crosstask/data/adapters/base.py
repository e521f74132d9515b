"""What the adapters of data sets share: where a set comes from, where a table goes, and how one becomes the other."""

from __future__ import annotations

import abc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from crosstask.data.decode.writing import label_suffix, write_label
from crosstask.data.table.table import INTRINSICS, RESERVED, SOURCE, WEIGHT, Table, write_table
from crosstask.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """A data set as its owners distribute it.

    Attributes:
        name: what it is called.
        page: where people get it, in words.
    """

    name: str
    page: str

    def require(self, path: Path, what: str) -> Path:
        """``path`` itself.

        Raises:
            DataError: it does not exist; says what was looked for, where, and where to get it.
        """
        if not path.exists():
            raise DataError(f"{path}: not there; it should hold {what} of {self.name}: get it from {self.page}")
        return path

    def complete(self, paths: Sequence[Path], what: str) -> None:
        """Nothing, when all ``paths`` exist.

        Raises:
            DataError: some are missing, as after a partial download; names the first and how many.
        """
        missing = [path for path in paths if not path.exists()]
        if missing:
            raise DataError(
                f"{missing[0]}: not there, as {len(missing)} of {len(paths)} files with {what} of {self.name}: "
                f"complete the download from {self.page}, or list what is there with crosstask table"
            )


@dataclass(frozen=True)
class Output:
    """Where a table goes, and the files that have to be written for it.

    Attributes:
        table: the table; cells are relative to its folder.
        files: folder of files that are made on conversion.
        workers: threads that make them.
        progress: called with (done, total).
    """

    table: Path
    files: Path
    workers: int = 2
    progress: Progress | None = None

    def cell(self, path: Path) -> str:
        """``path`` as a cell."""
        return Path(os.path.relpath(path, self.table.parent)).as_posix()

    def save(self, name: str, array: np.ndarray) -> str:
        """Write ``array`` as ``files/name.png`` (floats ``.npy``), whole or not at all; returns its cell."""
        path = self.files / f"{name}{label_suffix(array)}"
        write_label(path, array, compress_level=3)
        return self.cell(path)

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """``function`` of every item, in order; the first error ends the work."""
        items = list(items)
        results = []
        pool = ThreadPoolExecutor(self.workers)
        try:
            for result in pool.map(function, items):
                results.append(result)
                if self.progress is not None:
                    self.progress(len(results), len(items))
        finally:
            pool.shutdown(cancel_futures=True)
        return results


class Adapter(abc.ABC):
    """A data set in its own layout, as a table of files.

    A subclass is constructed from the folder (or file) that holds the set and from its options, which are typed
    keyword arguments explained under ``Args:``.
    """

    source: ClassVar[Source]
    counts: ClassVar[dict[str, int]] = {}
    """Rows of each split of the whole set, where they are fixed; a set with fewer is used, but said to be smaller."""
    said: Sequence[str] = ()
    """What a person should know of the conversion, a line each; set by :meth:`table`."""

    @abc.abstractmethod
    def table(self, output: Output) -> Table:
        """The table, not written yet; the files it needs are written.

        Raises:
            DataError: something is missing or broken.
        """


def table_of(rows: Sequence[dict[str, str]], output: Output) -> Table:
    """Rows as a table: the columns in the order they first appear, blank where a row has none."""
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Table(output.table, columns, [{column: row.get(column, "") for column in columns} for row in rows])


def task_columns(table: Table) -> list[str]:
    """The columns that hold labels."""
    return [name for name in table.columns if name not in RESERVED and not name.endswith((WEIGHT, SOURCE))]


def intrinsics(values: Sequence[float]) -> dict[str, str]:
    """fx, fy, cx, cy as cells."""
    return {name: f"{value:.9g}" for name, value in zip(INTRINSICS, values, strict=True)}


@dataclass(frozen=True)
class Converted:
    """A table that was written; ``str`` says what is in it, a line per split."""

    table: Table
    counts: dict[str, int] = field(default_factory=dict)
    said: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [f"{self.table.path}: {len(self.table)} images"]
        rows = Counter(row.get("split", "") for row in self.table.rows)
        for split, count in rows.items():
            labelled = [
                f"{name} {sum(bool(row[name]) for row in self.table.rows if row.get('split', '') == split)}"
                for name in task_columns(self.table)
            ]
            short = self.counts.get(split, count) - count
            whole = f" of {self.counts[split]} in the whole set" if short else ""
            lines.append(f"  {split or 'all'}: {count} images{whole}; labels: {', '.join(labelled)}")
        lines += [f"  {line}" for line in self.said]
        return "\n".join(lines)


def convert(
    adapter: Adapter,
    out: Path | str,
    files: Path | str | None = None,
    workers: int = 2,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Converted:
    """Write the table of a data set: what ``crosstask convert`` does.

    Args:
        adapter: the data set.
        out: the table, ``.csv``, ``.jsonl`` or ``.parquet``.
        files: folder of the files that are made; ``NAME_files`` beside the table by default.
        workers: threads that make them.
        overwrite: replace a table that is there.
        progress: called with (done, total).

    Raises:
        DataError: the table exists, or the data set cannot be read.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already: give --overwrite to replace it, or another --out")
    folder = Path(files) if files is not None else out.with_name(f"{out.stem}_files")
    table = adapter.table(Output(out, folder, max(workers, 1), progress))
    return Converted(write_table(table, out), adapter.counts, adapter.said)
