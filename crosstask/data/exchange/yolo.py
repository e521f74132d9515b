"""YOLO's text files: boxes, and the polygons of segmentation sets, with ``data.yaml`` or ``obj.data``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from crosstask.data.decode.files import image_size
from crosstask.data.exchange.images import images_below, split_in
from crosstask.data.exchange.items import Box, Collection, Item, Shape, is_void
from crosstask.data.exchange.masks import polygon_mask
from crosstask.errors import DataError, UserError
from crosstask.reading import read_text, read_yaml

_FURTHEST = 2
"""What no share of an image comes to, even if a shape reaches beyond it."""


class _Names(NamedTuple):
    """What the file of names says: the classes, and how many numbers of keypoints follow each box."""

    classes: list[str]
    keypoints: int = 0


def read_yolo(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """Images and the text files beside them, or in ``labels`` where they are in ``images``; an image without a text
    file has no label, an empty one says that there is nothing.

    Lines of five numbers are boxes (class, centre, width, height), longer ones polygons, or boxes with keypoints where
    ``kpt_shape`` says so; all are shares of the image.

    Raises:
        DataError: no names of classes, or a broken file.
    """
    folder = root if root.is_dir() else root.parent
    names = _names(root)
    found = Collection([], [name for name in names.classes if not is_void(name)])
    for path in images_below(images or folder):
        below = path.relative_to(images or folder)
        item = Item(below.with_suffix("").as_posix(), path, split_in(*below.parts[:-1]))
        text = _text_file(path, folder, images)
        if text is not None:
            item.seen = True
            _read(text, names, item, found)
        found.items.append(item)
    if not found.items:
        raise DataError(f"{root}: holds no image: give --images FOLDER")
    return found


def _names(root: Path) -> _Names:
    folder = root if root.is_dir() else root.parent
    given = [root] if root.is_file() else sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    for path in given:
        try:
            content = read_yaml(path) or {}
            names = content.get("names")
        except (UserError, AttributeError):
            raise DataError(f"{path}: is no YAML of YOLO (names: [...]): mend it") from None
        if isinstance(names, dict):
            if sorted(names) != list(range(len(names))):
                raise DataError(f"{path}: names are numbered {sorted(names)}: number them from 0 without gaps")
            names = [names[number] for number in range(len(names))]
        if isinstance(names, list):
            return _Names([str(name) for name in names], _keypoints(content.get("kpt_shape"), path))
    for path in (folder / "obj.names", folder / "classes.txt", folder / "classes.names"):
        if path.is_file():
            return _Names([line.strip() for line in read_text(path).splitlines() if line.strip()])
    raise DataError(f"{root}: names no classes: add data.yaml (names: [...]), obj.names or classes.txt")


def _keypoints(shape: Any, path: Path) -> int:
    if shape is None:
        return 0
    if not (isinstance(shape, list) and len(shape) == 2 and all(isinstance(part, int) and part > 0 for part in shape)):
        raise DataError(f"{path}: kpt_shape is {shape!r:.40}: write [keypoints, numbers of each]")
    return shape[0] * shape[1]


def _text_file(path: Path, folder: Path, images: Path | None) -> Path | None:
    parts = list(path.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            other = Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt")
            if other.is_file():
                return other
            break
    candidates = [path.with_suffix(".txt")]
    if images is not None:
        below = path.relative_to(images).with_suffix(".txt")
        candidates += [folder / below, folder / "labels" / below]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _read(text: Path, names: _Names, item: Item, found: Collection) -> None:
    item.size = image_size(item.image)
    for number, line in enumerate(read_text(text).splitlines(), 1):
        if line.strip():
            _annotation(line, f"{text}, line {number}", names, item, found)


def _annotation(line: str, where: str, names: _Names, item: Item, found: Collection) -> None:
    try:
        which, *rest = line.split()
        index, values = int(which), [float(part) for part in rest]
    except ValueError:
        raise DataError(f"{where}: {line!r:.60} is no class and numbers: mend it") from None
    count = len(names.classes)
    if not 0 <= index < count:
        raise DataError(f"{where}: class {index} of {count} (0 to {count - 1}): add its name, or mend it")
    posed = 4 + names.keypoints
    if names.keypoints and len(values) not in (4, posed):
        raise DataError(f"{where}: {len(values)} numbers after the class: 4 are a box, {posed} one with its keypoints")
    if names.keypoints and len(values) == posed:
        found.unused["keypoints"] += 1
        values = values[:4]
    if values and max(values) > _FURTHEST:
        raise DataError(f"{where}: {max(values):g} is no share of the image (0 to 1): divide pixels by its size")
    name, (height, width) = names.classes[index], item.size or image_size(item.image)
    points = [value * (height if place % 2 else width) for place, value in enumerate(values)]
    if len(points) == 4:
        x, y, across, down = points
        item.boxes.append(Box(name, (x - across / 2, y - down / 2, x + across / 2, y + down / 2)))
    elif len(points) >= 6 and len(points) % 2 == 0:
        item.shapes.append(Shape(name, polygon_mask([points]), is_void(name)))
    else:
        raise DataError(f"{where}: {len(points)} numbers after the class: 4 are a box, 6, 8, ... a polygon")
