"""Lists of image names, and semi-supervised splits: which training images are labelled, which are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import ClassVar

from crosstask.data.adapters.base import Adapter, Output, Source, task_columns
from crosstask.data.table.table import SOURCE, WEIGHT, Table, read_table
from crosstask.errors import DataError, nearest
from crosstask.reading import regular

_ENDINGS = (".jpg", ".jpeg", ".png", ".npy")


def read_names(path: Path) -> list[str]:
    """The names in a list, one per line, without folder and ending.

    A line is a bare id (``2007_000032``), the path of an image (``/JPEGImages/2007_000032.jpg``) or those of an image
    and its mask; only the image counts.

    Raises:
        DataError: the file is missing, empty or not text.
    """
    try:
        lines = regular(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the list of images ({error}): give a text file, one per line") from None
    names = [PurePath(line.split()[0]) for line in lines if line.strip()]
    if not names:
        raise DataError(f"{path}: the list of images is empty: give one image per line")
    return [name.stem if name.suffix.lower() in _ENDINGS else name.name for name in names]


class SemiSupervised(Adapter):
    """A converted table with a semi-supervised split: images that are not labelled keep no label.

    The lists are those of U2PL, UniMatch and CSS: bare ids, paths, or pairs of paths of an image and its mask. A name
    is an id of the table or the name of an image's file. Rows of other splits stay as they are. Training rows in
    neither list are left out; without the list of unlabelled images all training rows that are not labelled are
    unlabelled.

    Traps: the lists of a protocol are not nested (9 of U2PL's 92 VOC images are in its 183), and U2PL's and UniMatch's
    differ: say which were used. All labels of an unlabelled image are dropped by default, also tags that were derived
    from its mask.

    Args:
        root: the table.
        labelled: list of the labelled images.
        unlabelled: list of the unlabelled images; an image in both is labelled.
        tasks: the tasks whose labels are dropped, all by default.
        split: the split that the lists are about.
    """

    source: ClassVar = Source("a semi-supervised split", "the repository of the paper that published it")

    def __init__(
        self,
        root: str,
        *,
        labelled: str,
        unlabelled: str | None = None,
        tasks: list[str] | None = None,
        split: str = "train",
    ) -> None:
        self.path = Path(root)
        self.labelled = Path(labelled)
        self.unlabelled = None if unlabelled is None else Path(unlabelled)
        self.tasks = tasks
        self.split = split

    def table(self, output: Output) -> Table:
        table = read_table(self.path)
        tasks = task_columns(table) if self.tasks is None else self.tasks
        for name in tasks:
            if name not in table.columns:
                raise DataError(f"{self.path}: no column {name!r} of a task: {nearest(name, task_columns(table))}")
        training = table.select(self.split)
        rows = {name: row["id"] for row in training.rows for name in _names(row)}
        labelled = self._ids(self.labelled, rows)
        used = set(training.ids) if self.unlabelled is None else labelled | self._ids(self.unlabelled, rows)
        dropped = {column for task in tasks for column in (task, task + WEIGHT, task + SOURCE)}

        def row_of(row: dict[str, str]) -> dict[str, str]:
            kept = row["id"] in labelled or row.get("split") != self.split
            return row if kept else {column: "" if column in dropped else cell for column, cell in row.items()}

        kept = [row_of(row) for row in table.rows if row.get("split") != self.split or row["id"] in used]
        return replace(table, rows=kept)

    def _ids(self, path: Path, rows: dict[str, str]) -> set[str]:
        names = read_names(path)
        unknown = [name for name in names if name not in rows]
        if unknown:
            raise DataError(
                f"{path}: {len(unknown)} of {len(names)} images are not in the split {self.split!r} of {self.path}, "
                f"the first is {unknown[0]!r}, those of the table are like {next(iter(rows))!r}: convert the whole set "
                "first"
            )
        return {rows[name] for name in names}


def _names(row: dict[str, str]) -> tuple[str, ...]:
    return row["id"], PurePath(row["id"]).name, PurePath(row["image"]).stem
