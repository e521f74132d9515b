"""Which images a user means: a folder, a table, globs or single files."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crosstask.data.table.formats import FORMATS
from crosstask.data.table.table import INTRINSICS, read_table
from crosstask.errors import UserError
from crosstask.names import alike, file_part
from crosstask.remote import is_url, path_of
from crosstask.remote.listing import list_files

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".jp2", ".npy", ".npz"}
)
"""Endings of the files in a folder that are taken for images."""
UNREAD = frozenset(
    {".heic", ".heif", ".avif", ".exr", ".hdr", ".pfm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
     ".raw", ".psd", ".svg", ".jxl", ".dcm", ".jfif", ".h5", ".mat", ".tga"}
)  # fmt: skip
"""Endings of images of kinds that are not read."""


def find_images(inputs: Sequence[Path | str], out: Path | None = None) -> dict[str, Path]:
    """The images that ``inputs`` name, by id, in the order they are named; the same file counts once.

    A folder stands for the images in it and in its sub-folders, a table for its column ``image``, a pattern
    (``'shots/**/*.jpg'``) for what it matches, a file for itself; folders, files and patterns in the last part may be
    URLs. Ids are those of the table's rows; otherwise the path
    below the folder, or the name of the file, without its ending where that is unique. Where ``out``, the folder of
    what is made of the images, lies within a folder or what a pattern looks through, nothing in it is an image.

    Raises:
        UserError: an input names nothing, or no image at all is found.
    """
    images: dict[str, Path] = {}
    seen: set[Path] = set()
    made = None if out is None else Path(os.path.realpath(out))
    for given in inputs:
        within = made is not None and not is_url(str(given)) and _searched(Path(given)) in made.parents
        for name, path in _at_url(str(given)) if is_url(str(given)) else _expanded(Path(given)):
            real = Path(os.path.realpath(path))  # which takes links in a circle, too
            if real in seen or (within and made in real.parents):
                continue
            seen.add(real)
            images[_unused(name, path, images)] = path
    if not images:
        named = ", ".join(map(str, inputs)) or "nothing"
        unread = ", ".join(f"{count} {ending}" for ending, count in passed_over(inputs).items())
        if unread:
            raise UserError(f"{named}: no image found but {unread} files, which are not read: convert them, to PNG say")
        raise UserError(f"{named}: no image found: give a folder of images, a table, a pattern or files")
    return images


def cameras(inputs: Sequence[Path | str]) -> dict[Path, dict[str, str]]:
    """The intrinsics that the tables among ``inputs`` give for their images, by the path of the image."""
    found: dict[Path, dict[str, str]] = {}
    for given in inputs:
        if is_url(str(given)) or Path(given).suffix.lower() not in FORMATS or not Path(given).is_file():
            continue
        table = read_table(Path(given))
        for index, row in enumerate(table.rows):
            if all(row.get(column) for column in INTRINSICS):
                found[Path(os.path.realpath(table.resolve(index, "image")))] = {
                    column: row[column] for column in INTRINSICS
                }
    return found


def passed_over(inputs: Sequence[Path | str]) -> dict[str, int]:
    """How many files in the folders that ``inputs`` name look like images and are of a kind that is not read, by
    ending."""
    found: Counter[str] = Counter()
    for given in map(Path, inputs):
        if given.is_dir():
            found.update(path.suffix.lower() for path in given.rglob("*") if path.suffix.lower() in UNREAD)
    return dict(found)


def file_name(name: str) -> str:
    """An id as a relative path that is a valid name on every system and stays where it is put.

    >>> file_name("../rgb/a: 1?.jpg")
    'rgb/a_ 1_.jpg'
    """
    parts = [part for part in re.split(r"[/\\\\]+", name) if part not in ("", ".", "..")]
    return "/".join(map(file_part, parts)) or "_"


def file_names(ids: Sequence[str]) -> dict[str, str]:
    """A :func:`file_name` for each id, numbered where two would be the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for identifier in ids:
        name = base = file_name(identifier)
        count = 1
        while alike(name) in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(alike(name))
        names[identifier] = name
    return names


def _at_url(given: str) -> list[tuple[str, Path]]:
    """A file at a URL, those that a pattern there matches, or the images of a folder."""
    beside = Path.cwd()
    root, _, name = given.rpartition("/")
    if not glob.has_magic(name) and Path(name.partition("?")[0]).suffix.lower() in SUFFIXES:
        return [(Path(name.partition("?")[0]).stem, path_of(given, beside))]
    root, pattern = (root, name) if glob.has_magic(name) else (given.rstrip("/"), "**")
    found = [name for name in list_files(root, pattern) if Path(name).suffix.lower() in SUFFIXES]
    return [(Path(name).with_suffix("").as_posix(), path_of(f"{root}/{name}", beside)) for name in found]


def _expanded(given: Path) -> list[tuple[str, Path]]:
    if given.is_dir():
        files = sorted(path for path in given.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        below = [(path.relative_to(given), path) for path in files]
        return [
            (name.with_suffix("").as_posix(), path) for name, path in below if not any(p[0] == "." for p in name.parts)
        ]
    if given.suffix.lower() in FORMATS and (given.is_file() or not glob.has_magic(str(given))):
        table = read_table(given)
        return [(name, table.resolve(index, "image")) for index, name in enumerate(table.ids)]
    if given.is_file():
        return [(given.stem, given)]
    found = sorted(Path(name) for name in glob.glob(str(given), recursive=True) if Path(name).is_file())
    if not found:
        raise UserError(f"{given}: no such file or folder, and nothing matches it: check the path")
    return [(path.stem, path) for path in found]


def _searched(given: Path) -> Path:
    """The folder that is looked through for ``given``; the file itself where it names one."""
    plain = itertools.takewhile(lambda part: not glob.has_magic(part), given.parts)
    return Path(os.path.realpath(given if given.exists() else Path(*plain)))


def _unused(name: str, path: Path, images: dict[str, Path]) -> str:
    for candidate in (name, name + path.suffix, path.as_posix()):
        if candidate not in images:
            return candidate
    raise UserError(f"{path}: its id {name!r} is that of {images[name]} too: give each image an id in a table")
