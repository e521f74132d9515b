"""A table made from folders of files: one glob per column, matched to the images by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crosstask.data.table.entries import is_entries, read_entries
from crosstask.data.table.matching import Files, first_few, match_files
from crosstask.data.table.naming import match_entries
from crosstask.data.table.table import Table, concatenate, read_table, write_table
from crosstask.errors import DataError
from crosstask.names import require_name
from crosstask.remote import is_url
from crosstask.remote.urls import redacted

SPLIT = "{split}"
"""Stands for the name of the split in a pattern."""


@dataclass(frozen=True)
class Match:
    """How the files of one column met the images.

    Attributes:
        labelled: how many images have one.
        unlabelled: names of the images that have none.
        unmatched: files or entries that belong to no image.
        used: files, or entries of one file for all splits, that belong to an image.
        account: how such a file was read, for people.
    """

    labelled: int
    unlabelled: list[str]
    unmatched: list[str]
    used: frozenset[str] = frozenset()
    account: str = ""


@dataclass(frozen=True)
class Listing:
    """A table and how it came about; ``str(listing)`` says it in a line per column.

    Attributes:
        table: the rows.
        matches: per split (``""`` where there is none) and column.
    """

    table: Table
    matches: dict[str, dict[str, Match]]

    def __str__(self) -> str:
        lines = [f"{self.table.path}: {len(self.table)} images"]
        for split, columns in self.matches.items():
            for column, match in columns.items():
                elsewhere = {name for each in self.matches.values() if column in each for name in each[column].used}
                lost = [name for name in match.unmatched if name not in elsewhere]
                total = match.labelled + len(match.unlabelled)
                line = f"  {split + ': ' if split else ''}{column}: {match.labelled} of {total} images{match.account}"
                if match.unlabelled:
                    line += f"; images without: {first_few(match.unlabelled)}"
                if lost:
                    line += f"; labels without an image: {first_few(lost)}"
                lines.append(line)
        return "\n".join(lines)


def table_from_folders(
    root: Path | str,
    patterns: Mapping[str, str],
    split: str | None = None,
    path: Path | str | None = None,
    constants: Mapping[str, float] | None = None,
    splits: Sequence[str] = (),
) -> Listing:
    """List the files in a folder as a table, not written yet.

    Args:
        root: the folder, or the URL of one (``s3://bucket/photos``); patterns are relative to it.
        patterns: column -> a glob of files, or image-level labels from a file: ``tags.json`` (id -> value or list),
            ``labels.csv:column``, ``labels.csv:one,two`` or ``labels.csv:*`` (several columns as tags, see
            :func:`~crosstask.data.table.entries.read_entries`). ``image`` is needed. ``{split}`` stands for the split.
        split: written to every row.
        path: where the table will be, ``root/table.csv`` by default; its cells are relative to that.
        constants: numbers that are the same in every row, the intrinsics ``fx fy cx cy`` say.
        splits: all splits that are listed; the values of their files together say what a column of tags is.

    Raises:
        DataError: a pattern that finds nothing, labels of which none belongs to an image, a file that cannot be read.
    """
    remote = is_url(str(root))
    root = str(root).rstrip("/") if remote else Path(root)
    if path is None and remote:
        raise DataError(f"{redacted(str(root))}: name the table to write")
    path = Path(path) if path is not None else Path(root) / "table.csv"
    if isinstance(root, Path) and not root.is_dir():
        raise DataError(f"{root}: no such folder: check the path")
    if "image" not in patterns:
        raise DataError("--image is missing: name the images, --image 'rgb/*.jpg' say")
    forbidden = {"id", "split"} & set(patterns)
    if forbidden:
        name = forbidden.pop()
        raise DataError(f"--{name} {patterns[name]}: {name} has a meaning of its own: give the task another name")
    given = dict(patterns)
    patterns = {column: pattern.replace(SPLIT, split or SPLIT) for column, pattern in patterns.items()}
    images = Files.find(root, "image", patterns["image"])
    folder = Path(os.path.relpath(os.path.abspath(root), os.path.abspath(path.parent)))

    def relative(cells: Iterable[str]) -> list[str]:
        if remote:
            return [cell and f"{root}/{cell}" for cell in cells]
        return [cell and (cell if os.path.isabs(cell) else (folder / cell).as_posix()) for cell in cells]

    columns = {"id": images.ids(), "image": relative(images.paths)}
    if split:
        columns["split"] = [split] * len(images.paths)
    columns |= {name: [f"{value:.10g}"] * len(images.paths) for name, value in (constants or {}).items()}
    matches = {}
    for column, pattern in patterns.items():
        if column == "image":
            continue
        account = ""
        if is_entries(root, pattern):
            if not isinstance(root, Path):
                raise DataError(f"--{column} {pattern}: labels in one file are read from a folder: download the file")
            others = [given[column].replace(SPLIT, other) for other in splits if other != split]
            entries = read_entries(root, column, pattern, images, patterns.values(), others)
            cells, left = match_entries(f"{column} {pattern}", images, entries.cells)
            used, account = frozenset(entries.cells) - set(left), entries.account
            columns[column] = cells
        else:
            files = Files.find(root, column, pattern)
            both = sorted(set(files.paths) & set(images.paths))
            if both:
                raise DataError(
                    f"--{column} {pattern}: {both[0]} ({len(both)} in all) is an image by --image {patterns['image']} "
                    "too: give patterns that tell images from labels"
                )
            cells, left = match_files(column, images, files)
            used = frozenset(filter(None, cells))
            columns[column] = relative(cells)
        blank = [name for name, cell in zip(columns["id"], cells, strict=True) if not cell]
        matches[column] = Match(len(cells) - len(blank), blank, left, used, account)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return Listing(Table(path, tuple(columns), rows), {split or "": matches})


def _absolute(table: Table, cell: str) -> str:
    return cell if is_url(cell) else os.path.abspath(table.folder / cell)


def _append(table: Table, more: Table) -> Table:
    """``more`` below ``table``; an id that is there already gets the split before it, or becomes the image's path."""
    known, images = set(table.ids), {_absolute(table, row["image"]) for row in table.rows}
    rows = []
    for row in more.rows:
        if _absolute(more, row["image"]) in images:
            raise DataError(f"{table.path}: image {row['image']} is in the table already: append each folder once")
        name = row["id"]
        if name in known:
            name = f"{row['split']}/{name}" if row.get("split") else row["image"]
        rows.append({**row, "id": name})
    return concatenate([table, replace(more, rows=rows)], table.path)


def make_table(
    root: Path | str,
    patterns: Mapping[str, str],
    out: Path | str,
    splits: Sequence[str] = (),
    append: bool = False,
    constants: Mapping[str, float] | None = None,
) -> Listing:
    """List the files in a folder and write the table: what ``crosstask table`` does.

    Args:
        root: the folder.
        patterns: column -> pattern, see :func:`table_from_folders`.
        out: the table, ``.csv``, ``.jsonl`` or ``.parquet``.
        splits: names of the splits; for several of them the patterns hold ``{split}``.
        append: add the rows to the table ``out`` instead of writing a new one.
        constants: numbers that are the same in every row, the intrinsics ``fx fy cx cy`` say.

    Raises:
        DataError: ``out`` exists and ``append`` is not set, or the other way round; see :func:`table_from_folders`.
    """
    out = Path(out)
    for each in splits:
        try:
            require_name(each, "--split", "name of a split that results can be named after")
        except ValueError as error:
            raise DataError(str(error)) from None
    if len(splits) > 1 and SPLIT not in patterns.get("image", ""):
        raise DataError(
            f"--split {','.join(splits)}: several splits need '{SPLIT}' in the patterns ('{SPLIT}/rgb/*.jpg')"
        )
    if not append and out.exists():
        raise DataError(f"{out}: exists already: give --append to add to it, or another --out")
    table = read_table(out) if append else None
    matches: dict[str, dict[str, Match]] = {}
    for split in splits or (None,):
        listing = table_from_folders(root, patterns, split, out, constants, splits)
        table = listing.table if table is None else _append(table, listing.table)
        for column, pattern in patterns.items():
            for before, found in matches.items():
                both = found[column].used & listing.matches[split or ""][column].used if column in found else None
                if both and SPLIT not in pattern:
                    raise DataError(
                        f"--{column} {pattern}: {min(both)!r} fits an image in {before} and another in {split}: give "
                        f"each split files of its own ('{SPLIT}' in the pattern), or write ids with the folder"
                    )
        matches |= listing.matches
    assert table is not None
    return Listing(write_table(table, out), matches)
