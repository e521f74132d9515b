"""YOLO's text files: boxes, and the polygons of segmentation sets, with ``data.yaml`` or ``obj.data``."""

from __future__ import annotations

from pathlib import Path

from crosstask.data.decode.files import image_size
from crosstask.data.exchange.images import SUFFIXES, split_in
from crosstask.data.exchange.items import Box, Collection, Item, Shape, is_void
from crosstask.data.exchange.masks import polygon_mask
from crosstask.errors import DataError, UserError
from crosstask.reading import read_text, read_yaml


def read_yolo(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """Images and the text files beside them, or in ``labels`` where they are in ``images``; an image without a text
    file has no label, an empty one says that there is nothing.

    Lines of five numbers are boxes (class, centre, width, height), longer ones polygons; all are shares of the image.

    Raises:
        DataError: no names of classes, or a broken file.
    """
    folder = root if root.is_dir() else root.parent
    names = _names(root)
    found = Collection([], [name for name in names if not is_void(name)])
    for path in sorted((images or folder).rglob("*")):
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
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


def _names(root: Path) -> list[str]:
    folder = root if root.is_dir() else root.parent
    given = [root] if root.is_file() else sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    for path in given:
        try:
            names = (read_yaml(path) or {}).get("names")
        except (UserError, AttributeError):
            raise DataError(f"{path}: is no YAML of YOLO (names: [...]): mend it") from None
        if isinstance(names, dict):
            if sorted(names) != list(range(len(names))):
                raise DataError(f"{path}: names are numbered {sorted(names)}: number them from 0 without gaps")
            return [str(names[number]) for number in range(len(names))]
        if isinstance(names, list):
            return [str(name) for name in names]
    for path in (folder / "obj.names", folder / "classes.txt", folder / "classes.names"):
        if path.is_file():
            return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    raise DataError(f"{root}: names no classes: add data.yaml (names: [...]), obj.names or classes.txt")


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


def _read(text: Path, names: list[str], item: Item, found: Collection) -> None:
    size = item.size = image_size(item.image)
    for number, line in enumerate(read_text(text).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{text}, line {number}"
        try:
            which, *rest = line.split()
            index, values = int(which), [float(part) for part in rest]
        except ValueError:
            raise DataError(f"{where}: {line!r:.60} is no class and numbers: mend it") from None
        if not 0 <= index < len(names):
            raise DataError(f"{where}: class {index} of {len(names)} (0 to {len(names) - 1}): add its name, or mend it")
        name, scales = names[index], (size[1], size[0])
        points = [value * scales[place % 2] for place, value in enumerate(values)]
        if len(points) == 4:
            x, y, width, height = points
            item.boxes.append(Box(name, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)))
        elif len(points) >= 6 and len(points) % 2 == 0:
            item.shapes.append(Shape(name, polygon_mask([points]), is_void(name)))
        else:
            raise DataError(f"{where}: {len(points)} numbers after the class: 4 are a box, 6, 8, ... a polygon")
