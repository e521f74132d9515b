"""The layout of Cityscapes, with the names of ``label_colors.txt`` or the official ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from crosstask.data.decode.files import load_label
from crosstask.data.exchange.images import Images, images_below
from crosstask.data.exchange.items import Collection, Item, Shape, Size, is_void
from crosstask.errors import DataError
from crosstask.reading import read_text

_MAPS = "_gtFine_labelIds.png"
# fmt: off
_OFFICIAL = [
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road", "sidewalk",
    "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole", "polegroup",
    "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus",
    "caravan", "trailer", "train", "motorcycle", "bicycle",
]
# fmt: on
"""The names of the ids."""
_NO_CLASS = frozenset(("ego vehicle", "rectification border", "out of roi"))


def read_cityscapes(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """``gtFine/SPLIT/.../*_gtFine_labelIds.png`` with ``leftImg8bit`` (or ``imgsFine/leftImg8bit``) beside it.

    Instance maps are not read: their numbers hide the classes of things. For the 19 classes of papers and for
    disparity take the data set ``cityscapes``.

    Raises:
        DataError: there are no such files, or a map holds an id without a name.
    """
    maps = sorted((root / "gtFine").rglob(annotations or f"*{_MAPS}"))
    if not maps:
        raise DataError(f"{root}: holds no gtFine/SPLIT/*{_MAPS}: give the folder that holds gtFine")
    names = _names(root)
    void = {index for index, name in enumerate(names) if is_void(name) or name in _NO_CLASS}
    found = Collection([], [name for index, name in enumerate(names) if index not in void], covering=True)
    folders = [folder for folder in (images, root / "leftImg8bit", root / "imgsFine" / "leftImg8bit") if folder]
    finder = Images(next((folder for folder in folders if folder.is_dir()), root))
    for path in maps:
        below = path.relative_to(root / "gtFine")
        name = below.as_posix().removesuffix(_MAPS)
        stems = [f"{name}{end}" for end in ("_leftImg8bit.png", "_leftImg8bit.jpg", ".png", ".jpg")]
        file = next((finder.folder / stem for stem in stems if (finder.folder / stem).is_file()), None)
        file = file or finder.find(stems[0], str(path))
        item = Item(name, file, below.parts[0], seen=True)
        ids = np.unique(load_label(path)).tolist()
        if ids[-1] >= len(names) and ids[-1] != 255:
            raise DataError(f"{path}: holds the id {ids[-1]}, {len(names)} have names: add label_colors.txt")
        item.shapes = [
            Shape(names[number], lambda size, path=path, number=number: _where(path, number, size), number in void)  # type: ignore[misc]
            for number in ids
            if number < len(names)
        ]
        found.items.append(item)
    labelled = {item.image for item in found.items}
    for path in images_below(finder.folder) if "leftImg8bit" in finder.folder.parts else ():
        if path not in labelled:
            below = path.relative_to(finder.folder)
            name = below.with_suffix("").as_posix().removesuffix("_leftImg8bit")
            found.items.append(Item(name, path, below.parts[0] if len(below.parts) > 1 else ""))
    return found


@lru_cache(maxsize=8)
def _stored(path: Path) -> np.ndarray:
    return load_label(path)


def _where(path: Path, number: int, size: Size) -> np.ndarray:
    stored = _stored(path)
    if stored.shape != size:
        raise DataError(f"{path}: is {stored.shape}, its image {size}: mend the file")
    return stored == number


def _names(root: Path) -> list[str]:
    path = root / "label_colors.txt"
    if not path.is_file():
        return list(_OFFICIAL)
    names = []
    for line in read_text(path).splitlines():
        parts = line.strip().split(maxsplit=3)  # red green blue name
        if len(parts) == 4 and not line.startswith("#"):
            names.append(parts[3])
    return names
