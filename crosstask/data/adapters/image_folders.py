"""Plain folders of images, one per category: what torchvision's ``ImageFolder`` reads."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.table.table import Table
from crosstask.errors import DataError

_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

_IMAGES = {
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".heic", ".heif", ".avif",
}  # fmt: skip


class ImageFolders(Adapter):
    """Images whose category is the name of their folder::

        ROOT/CATEGORY/.../NAME.jpg
        ROOT/train/CATEGORY/.../NAME.jpg, ROOT/val/..., ROOT/test/...

    Where all folders of ``ROOT`` have the name of a split (train, training, val, valid, validation, dev, test,
    testing), the categories lie within them. Files that start with a dot, and those that are no images, are passed
    over; photos of kinds that are not read (.heic) become rows, which ``crosstask check`` reports.

    Args:
        root: the folder.
        task: column of the category.

    Raises:
        DataError: there is no image, an image lies in no category, or there are fewer than two categories.
    """

    source = Source("folders of images", "your own disk")

    def __init__(self, root: str, task: str = "category") -> None:
        self.root, self.task = Path(root), task

    @override
    def table(self, output: Output) -> Table:
        self.source.require(self.root, "a folder per category")
        parts = [path for path in sorted(self.root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
        split = bool(parts) and all(path.name.lower() in _SPLITS for path in parts)
        rows = [row for path in sorted(self.root.rglob("*")) if (row := self._row(path, split, output)) is not None]
        if not rows:
            raise DataError(f"{self.root}: holds no image in a folder: categories are the names of folders of images")
        found = sorted({row[self.task] for row in rows})
        if len(found) < 2:
            raise DataError(f"{self.root}: {found[0]!r} is the only category: give the folder of their folders")
        return table_of(rows, output)

    def _row(self, path: Path, split: bool, output: Output) -> dict[str, str] | None:
        below = path.relative_to(self.root)
        hidden = any(part.startswith(".") for part in below.parts)
        if hidden or path.suffix.lower() not in _IMAGES or not path.is_file():
            return None
        if len(below.parts) < 2 + split:
            raise DataError(f"{path}: lies in no folder of a category: move it into one, or out of {self.root}")
        row = {"id": below.with_suffix("").as_posix(), "image": output.cell(path)}
        if split:
            row["split"] = _SPLITS[below.parts[0].lower()]
        return row | {self.task: below.parts[split]}
