"""Which image is meant by a name in a file of labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crosstask.data.table.matching import Files, first_few
from crosstask.errors import DataError

IMAGE = "image"
NEARLY = 0.9
"""A column that names this share of the images that another one names may be meant as well."""


def _names(images: Files) -> Iterator[tuple[str, list[str]]]:
    """Each image and what it can be called, the most exact first: its path, what the wildcards stand for, or the end of
    its path; with or without the ending of the file."""
    for path, part in zip(images.paths, images.parts, strict=True):
        folders = path.split("/")
        ends = ["/".join(folders[start:]) for start in range(len(folders))]
        whole, plain, *others = [name for end in ends for name in (end, end.rpartition(".")[0] or end)]
        yield path, [whole, plain, part, *others]


def images_by_name(images: Files) -> dict[str, str]:
    """The image that a name is of; names of several are left out, but for their paths."""
    found: dict[str, str] = {}
    several = set()
    for path, names in _names(images):
        several |= {name for name in names if found.setdefault(name, path) != path}
    return {name: path for name, path in found.items() if name not in several} | {path: path for path in images.paths}


def naming_column(where: str, images: Mapping[str, str], columns: Mapping[str, Sequence[str]]) -> str:
    """The column whose cells name images: that which names most of them, the first where several do.

    Where another names nearly as many, but different ones, a number may count rows or people: what is no number comes
    first, and then what is called ``image``.

    Args:
        where: the file of the columns, for messages.
        images: the image that a name is of, see :func:`images_by_name`.
        columns: their cells.

    Raises:
        DataError: two columns name different images, and nothing says which one is meant.
    """
    named = {column: [images.get(cell) for cell in cells] for column, cells in columns.items()}
    counts = {column: len(set(found) - {None}) for column, found in named.items()}
    numbers = {column: all(cell.isdecimal() for cell in cells if cell in images) for column, cells in columns.items()}
    likely = [column for column in columns if counts[column] >= NEARLY * max(counts.values())]
    likely.sort(key=lambda column: (-counts[column], numbers[column]))
    words = [column for column in likely if not numbers[column]] or likely
    for chosen in (likely, words, [column for column in words if column.lower() == IMAGE]):
        if chosen and _dispute(named, chosen) is None:
            return chosen[0]
    raise DataError(
        f"{where}: columns {' and '.join(map(repr, _dispute(named, words) or words))} name different images: call the "
        f"one that is meant {IMAGE!r}, or leave out the other"
    )


def _dispute(named: Mapping[str, Sequence[str | None]], columns: Sequence[str]) -> tuple[str, str] | None:
    """Two of the columns that name different images in a row, None where all agree."""
    for row in zip(*(named[column] for column in columns), strict=True):
        naming = [(column, image) for column, image in zip(columns, row, strict=True) if image is not None]
        others = [column for column, image in naming if image != naming[0][1]]
        if others:
            return naming[0][0], others[0]
    return None


def match_entries(labels: str, images: Files, entries: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The entry of each image by the most exact of its names, and the ids left over.

    Args:
        labels: the column, and the file that is named for it.
        images: the images.
        entries: a label for each id.

    Raises:
        DataError: no id is that of an image, or one is the name of several.
    """
    cells: list[str] = []
    used: dict[str | None, str] = {}
    for path, names in _names(images):
        name = next((name for name in names if name in entries), None)
        if name is not None and name in used:
            raise DataError(
                f"--{labels}: the id {name!r} is the name of {used[name]} and of {path}: write ids with the folder, "
                f"{path.rpartition('.')[0]!r} say"
            )
        used[name] = path
        cells.append("" if name is None else entries[name])
    if set(used) == {None}:
        raise DataError(
            f"--{labels}: none of {len(entries)} ids ({first_few(list(entries), 2)}) is that of an image "
            f"({first_few(images.stems, 2)}): an id is the name of the image, with or without its ending"
        )
    return cells, [name for name in entries if name not in used]
