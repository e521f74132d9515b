"""NYU-v2 and Cityscapes as the multi-task papers preprocessed them: one NumPy file per picture and label.

    root/train/{image,label,depth,normal}/0.npy, 1.npy, ...
    root/val/...

These are the copies of MTAN (Liu et al., CVPR 2019) that later papers share. Their ``val`` is what papers report on:
here it is the split ``test``, and a validation part has to be held out of ``train``. Numbers start again in each split,
so an id is ``train/0``. Arrays are (H, W, channels), of any number type.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.table.table import Table
from crosstask.errors import DataError

SPLITS = {"train": "train", "val": "test"}


class Preprocessed(Adapter):
    """The layout both sets share.

    Args:
        root: the folder with ``train`` and ``val``.
        regions: folder of region maps beside ``image`` (id + 1, 0 none), as RDC's ``sam``; none by default.
    """

    folders: ClassVar[dict[str, tuple[str, ...]]]
    """Column -> the names its folder may have."""

    def __init__(self, root: str, *, regions: str | None = None) -> None:
        self.root = Path(root)
        self.regions = regions

    @override
    def table(self, output: Output) -> Table:
        return table_of([row for split in SPLITS for row in self._rows(split, output)], output)

    def _rows(self, split: str, output: Output) -> list[dict[str, str]]:
        folder = self.source.require(self.root / split, f"the {split} part")
        images = self.source.require(folder / "image", "the images")
        found = {path.stem for path in images.glob("*.npy")}
        if not found:
            raise DataError(f"{images}: holds no .npy file: the images of {self.source.name} are 0.npy, 1.npy, ...")
        count = 1 + max((int(name) for name in found if name.isdecimal()), default=0)
        columns = {"image": images} | {column: self._folder(folder, names) for column, names in self.folders.items()}
        for place in columns.values():
            self.source.complete([place / f"{number}.npy" for number in range(count)], place.name)
        paths = {column: [place / f"{number}.npy" for number in range(count)] for column, place in columns.items()}
        if self.regions is not None:
            paths["regions"] = [folder / self.regions / f"{number}.png" for number in range(count)]
            self.source.complete(paths["regions"], "regions")
        name = SPLITS[split]
        return [
            {"id": f"{name}/{number}", "image": output.cell(paths["image"][number]), "split": name}
            | {column: output.cell(paths[column][number]) for column in paths if column != "image"}
            for number in range(count)
        ]

    def _folder(self, folder: Path, names: tuple[str, ...]) -> Path:
        found = next((folder / name for name in names if (folder / name).is_dir()), folder / names[0])
        return self.source.require(found, " or ".join(names))


class NyuV2Preprocessed(Preprocessed):
    """NYU-v2 at 288x384: 795 training and 654 test images, 13 classes, depth, normals.

    Columns: ``semantic`` (0 to 12, -1 unknown), ``depth`` (metres, 0 unknown), ``normals`` (vectors in [-1, 1], zero
    unknown). The script that made the copy is lost: borders were cropped before resizing, so intrinsics are not known
    and left blank. The frame of the normals is not documented either: ``crosstask check`` compares them with the depth
    and says which axes the recipe has to negate.
    """

    source = Source("the preprocessed NYU-v2", "the link in the README of MTAN's repository (lorenmt/mtan on GitHub)")
    counts: ClassVar = {"train": 795, "test": 654}
    folders: ClassVar = {"semantic": ("label",), "depth": ("depth",), "normals": ("normal",)}


class CityscapesPreprocessed(Preprocessed):
    """Cityscapes at 128x256: 2,975 training and 500 test images, 7 classes, disparity.

    Columns: ``semantic`` (``label_7`` or ``label``: 0 to 6, -1 unknown) and ``disparity``. The files called depth hold
    *inverse* depth, the stored disparity over 65535 (at most 0.4922), 0 unknown: a task of the kind disparity, which
    a zoom multiplies, whereas depth would be divided.
    """

    source = Source(
        "the preprocessed Cityscapes", "the link in the README of MTAN's repository (lorenmt/mtan on GitHub)"
    )
    counts: ClassVar = {"train": 2975, "test": 500}
    folders: ClassVar = {"semantic": ("label_7", "label"), "disparity": ("depth",)}
