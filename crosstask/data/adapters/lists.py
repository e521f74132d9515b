"""Lists of image names, and semi-supervised splits: which training images are labelled, which are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePath
from typing import ClassVar

from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, task_columns
from crosstask.data.table.table import SOURCE, WEIGHT, Table, read_table
from crosstask.errors import DataError, nearest
from crosstask.reading import regular

_ENDINGS = (".jpg", ".jpeg", ".png", ".npy", ".npz", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".ppm", ".gif")


def read_names(path: Path) -> list[str]:
    """The names in a list, one per line, without folder and ending.

    A line is a bare id (``2007_000032``), the path of an image (``/JPEGImages/2007_000032.jpg``) or those of an image
    and its mask; only the image counts.

    Raises:
        DataError: the file is missing, empty or not text.
    """
    return [_parts(line.split()[0])[-1] for line in read_lines(path)]


def read_lines(path: Path) -> list[str]:
    """The lines of a list that are not blank.

    Raises:
        DataError: the file is missing, empty or not text.
    """
    try:
        lines = regular(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the list of images ({error}): give a text file, one per line") from None
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise DataError(f"{path}: the list of images is empty: give one image per line")
    return lines


def _parts(name: str) -> tuple[str, ...]:
    """Folders and name of an image, without ending; of ids too."""
    path = PurePath(name.replace("\\", "/"))
    stem = path.stem if path.suffix.lower() in _ENDINGS else path.name
    return (*[part for part in path.parts[:-1] if part not in ("/", ".", "..")], stem)


class SemiSupervised(Adapter):
    """A converted table with a semi-supervised split: images that are not labelled keep no label.

    The lists are those of U2PL, UniMatch and CSS: bare ids, paths, or pairs of paths of an image and its mask. A name
    is an id of the table, or the path of an image as far as it agrees, at least its name; one that fits several rows is
    an error. Rows of other splits stay as they are. Training rows in
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

    @override
    def table(self, output: Output) -> Table:
        table = read_table(self.path)
        tasks = task_columns(table) if self.tasks is None else self.tasks
        for name in tasks:
            if name not in table.columns:
                raise DataError(f"{self.path}: no column {name!r} of a task: {nearest(name, task_columns(table))}")
        training = table.select(self.split)
        rows = _Names(training, self.split)
        labelled = rows.ids(self.labelled)
        used = set(training.ids) if self.unlabelled is None else labelled | rows.ids(self.unlabelled)
        dropped = {column for task in tasks for column in (task, task + WEIGHT, task + SOURCE)}

        def row_of(row: dict[str, str]) -> dict[str, str]:
            kept = row["id"] in labelled or row.get("split") != self.split
            return row if kept else {column: "" if column in dropped else cell for column, cell in row.items()}

        kept = [row_of(row) for row in table.rows if row.get("split") != self.split or row["id"] in used]
        return replace(table, rows=kept)


class _Names:
    """Rows by the names that a list may call them: their id, or the end of the image's path."""

    def __init__(self, table: Table, split: str) -> None:
        self.table, self.split = table, split
        self.whole = set(table.ids)
        self.ends: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for row in table.rows:
            for parts in {_parts(row["id"]), _parts(row["image"])}:
                for start in range(len(parts)):
                    self.ends[parts[start:]].add(row["id"])

    def ids(self, path: Path) -> set[str]:
        """The ids of the rows that a list names: by the whole id, by as much of the path as agrees, at least the name.

        Raises:
            DataError: a name fits no row, or several.
        """
        lines = read_lines(path)
        found = [self._find(line, path) for line in lines]
        unknown = [line for line, name in zip(lines, found, strict=True) if name is None]
        if unknown:
            raise DataError(
                f"{path}: {len(unknown)} of {len(lines)} images are not in the split {self.split!r} of "
                f"{self.table.path}, the first is {unknown[0].split()[0]!r}, those of the table are like "
                f"{self.table.ids[0]!r}: convert the whole set first"
            )
        return {name for name in found if name is not None}

    def _find(self, line: str, path: Path) -> str | None:
        if line in self.whole:
            return line
        for name in dict.fromkeys((line, line.split()[0])):
            if name in self.whole:
                return name
            parts = _parts(name)
            for start in range(len(parts) if " " not in name else 1):  # a line may hold the path of a mask, too
                fits = self.ends.get(parts[start:], set())
                if len(fits) > 1:
                    two = " and ".join(repr(each) for each in sorted(fits)[:2])
                    raise DataError(
                        f"{path}: {name!r} fits {len(fits)} rows of {self.table.path}, {two}: write ids or paths that "
                        "tell them apart"
                    )
                if fits:
                    return next(iter(fits))
        return None
