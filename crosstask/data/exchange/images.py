"""The image that an annotation file means: a name, a path of somebody else's disk, or an address."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from crosstask.data.decode.files import image_size
from crosstask.data.exchange.items import Size
from crosstask.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".jp2"}
_UPLOADED = re.compile(r"[0-9a-f]{8}-")
_SPLIT = re.compile(r"(?:^|[^a-z])(training|train|validation|valid|val|dev|testing|test)(?=$|[^a-z])", re.IGNORECASE)


class Images:
    """Images below a folder.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str, where: str, *near: Path) -> Path:
        """The file of an image.

        Args:
            name: its path from somewhere, or an address. The longest end of it that exists below one of the folders
                is taken; then the only file of that name.
            where: who names it, for messages.
            near: folders to begin with.

        Raises:
            DataError: there is no such file, or several have that name.
        """
        address = urlsplit(name)
        given = parse_qs(address.query).get("d", [unquote(address.path) if address.scheme else name])[0]
        parts = [part for part in re.split(r"[/\\]+", given) if part not in ("", ".", "..") and not part.endswith(":")]
        for end in (parts[place:] for place in range(len(parts))):
            for folder in (*near, self.folder):
                if (path := folder.joinpath(*end)).is_file():
                    return path
        base = parts[-1] if parts else ""
        found = self._by_name.get(base) or self._by_name.get(_UPLOADED.sub("", base, count=1), [])
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(
                f"{where}: {name!r:.80} may be {found[0]} or {found[1]}: give --images FOLDER of one of them"
            )
        raise DataError(f"{where}: its image {name!r:.80} is not below {self.folder}: give --images FOLDER")

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for path in images_below(self.folder):
            found[path.name].append(path)
        return dict(found)


def images_below(folder: Path) -> list[Path]:
    """The images below a folder, in order, but for hidden ones and for label files that a conversion has written."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not _holds_labels(Path(parent, name))]
        names = (name for name in files if not name.startswith("."))
        found += [path for name in names if (path := Path(parent, name)).suffix.lower() in SUFFIXES]
    return sorted(found)


def _holds_labels(folder: Path) -> bool:
    """Whether a folder is one of the label files in ``NAME_files`` beside a table; ``images`` there are images."""
    written = folder.parent.name.endswith("_files") and (folder.parent / "classes.json").is_file()
    return written and folder.name != "images"


def checked_size(path: Path, said: Size | None, where: str) -> Size:
    """The size to draw shapes in: what the annotations say, where the file agrees or is the same turned by EXIF.

    Raises:
        DataError: the file is of another size.
    """
    found = image_size(path)
    if said is None:
        return found
    if said not in (found, found[::-1]):
        raise DataError(
            f"{where}: says {said[1]}x{said[0]} of {path.name}, which is {found[1]}x{found[0]}: shapes would lie "
            "wrongly; annotate the image that is there, or give --images FOLDER of the other"
        )
    return said


def split_in(*names: str) -> str:
    """The split that one of the names speaks of, "" for none.

    >>> split_in("instances_train2017", "annotations"), split_in("instances_default"), split_in("contrast")
    ('train', '', '')
    """
    for name in names:
        if found := _SPLIT.search(name):
            word = found[1].lower()
            return {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}.get(
                word, word
            )
    return ""
