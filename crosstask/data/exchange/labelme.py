"""labelme's JSON, a file per image: polygons, rectangles, circles, masks and flags."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crosstask.data.exchange.images import Images, checked_size, split_in
from crosstask.data.exchange.items import Collection, Item, Shape, Size, is_void
from crosstask.data.exchange.masks import box_corners, ellipse_mask, polygon_mask
from crosstask.errors import DataError, UserError
from crosstask.reading import read_json

FLAGS = "tags"


def read_labelme(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """The JSON files below a folder, or one file. Rectangles are shapes here, as people draw them for what fills them.

    Raises:
        DataError: no file of labelme, or a broken one.
    """
    paths = [root] if root.is_file() else sorted(root.rglob(annotations or "*.json"))
    finder = Images(images or (root if root.is_dir() else root.parent))
    found = Collection([])
    found.several.add(FLAGS)
    for path in paths:
        try:
            content = read_json(path, "save it again with labelme", most=2**31)
        except UserError as error:
            raise DataError(str(error)) from None
        if not (isinstance(content, dict) and "shapes" in content and "imagePath" in content):
            continue
        file = finder.find(str(content["imagePath"]), str(path), path.parent)
        said = (content.get("imageHeight"), content.get("imageWidth"))
        item = Item(path.stem, file, split_in(path.parent.name), seen=True)
        if root.is_dir():
            item.id = path.relative_to(root).with_suffix("").as_posix()
        item.size = checked_size(file, said if all(said) else None, str(path))  # type: ignore[arg-type]
        for name, value in (content.get("flags") or {}).items():
            names = found.names.setdefault(FLAGS, [])
            names.extend([name] if name not in names else [])
            item.labels.setdefault(FLAGS, []).extend([name] if value else [])
        for number, entry in enumerate(content["shapes"]):
            _shape(entry, item, found, f"{path}, shape {number + 1}")
        found.items.append(item)
    if not found.items:
        raise DataError(f"{root}: holds no JSON file of labelme (shapes, imagePath)")
    return found


def _shape(entry: dict[str, Any], item: Item, found: Collection, where: str) -> None:
    try:
        kind, name = entry.get("shape_type") or "polygon", str(entry["label"])
        points = np.asarray(entry["points"], float).reshape(-1, 2)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: is broken ({error!r}): mend it") from None
    if kind == "polygon" and len(points) >= 3:
        mask = polygon_mask([points.ravel().tolist()])
    elif kind == "rectangle" and len(points) >= 2:
        mask = polygon_mask([box_corners(*points.min(0), *points.max(0))])
    elif kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        mask = ellipse_mask(float(points[0, 0]), float(points[0, 1]), radius, radius)
    elif kind == "mask" and len(points) == 2:
        mask = _stored(entry.get("mask"), points, where)
    else:
        found.unused[f"shapes of the type {kind} ({len(points)} points)"] += 1
        return
    if name not in found.classes and not is_void(name):
        found.classes.append(name)
    item.shapes.append(Shape(name, mask, is_void(name)))


def _stored(text: object, points: np.ndarray, where: str) -> Any:
    """A mask stored as PNG for the part of the image between two pixels, both of which are in it."""
    try:
        part = np.array(Image.open(io.BytesIO(base64.b64decode(str(text), validate=True)))) > 0
    except (OSError, binascii.Error, ValueError):
        raise DataError(f"{where}: its mask is no picture: mend the file") from None
    left, top = (round(value) for value in points[0])

    def mask(size: Size) -> np.ndarray:
        canvas = np.zeros(size, bool)
        place = canvas[top : top + part.shape[0], left : left + part.shape[1]]
        if top < 0 or left < 0 or place.shape != part.shape[:2]:
            raise DataError(f"{where}: its mask of {part.shape} at {left}, {top} does not lie within the image {size}")
        place |= part
        return canvas

    return mask
