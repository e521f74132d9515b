"""CVAT's XML "for images", of a task, a job or a project: polygons, masks, ellipses, boxes and tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from crosstask.data.exchange.images import Images, checked_size, split_in
from crosstask.data.exchange.items import Box, Collection, Item, Shape, Size, is_void
from crosstask.data.exchange.masks import box_corners, ellipse_mask, polygon_mask, turned
from crosstask.errors import DataError, UserError
from crosstask.reading import require_regular

LABELS = "labels"
_AREAS = ("polygon", "mask", "ellipse")
_VIDEO = "export the task as 'CVAT for images', which has its frames one by one"


def read_cvat(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """The XML files of CVAT below a folder, or one file. An image that is listed was looked at.

    Raises:
        DataError: no file of CVAT, or a broken one.
    """
    paths = [root] if root.is_file() else sorted(root.rglob(annotations or "*.xml"))
    finder = Images(images or (root if root.is_dir() else root.parent))
    found = Collection([], names={LABELS: []})
    tracks = 0
    for path in paths:
        content = _parsed(path, strict=root.is_file())
        if content is None:
            continue
        listed = [str(name.text or "").strip() for name in content.findall("meta//label/name")]
        for name in listed:
            _add(name, found)
        named = content.findtext("meta//subset") or split_in(path.stem)
        for number, entry in enumerate(content.iter("image"), 1):
            where = f"{path}, image {entry.get('name') or number}"
            found.items.append(_item(entry, named, finder, path, where, found))
        tracks += len(content.findall("track"))
    if tracks:
        found.unused["tracks of videos"] += tracks
    if not found.items:
        why = f"holds tracks of a video: {_VIDEO}" if tracks else "holds no XML file of CVAT with images"
        raise DataError(f"{root}: {why}")
    return found


def _parsed(path: Path, strict: bool) -> Element | None:
    """The root of a file of CVAT; None for other files, which are refused where ``strict``."""
    try:
        require_regular(path, most=2**31)
        content = ElementTree.parse(path).getroot()
    except UserError as error:
        raise DataError(str(error)) from None
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: is no valid XML ({error}): export it again") from None
    if content.tag == "annotations":
        return content
    if strict:
        raise DataError(f"{path}: is no file of CVAT, its root is <{content.tag}>: give annotations.xml")
    return None


def _add(name: str, found: Collection) -> None:
    if name not in found.names[LABELS]:
        found.names[LABELS].append(name)
        if not is_void(name):
            found.classes.append(name)


def _item(entry: Element, split: str, finder: Images, path: Path, where: str, found: Collection) -> Item:
    name = entry.get("name")
    if not name:
        raise DataError(f"{where}: has no name: export the file again")
    split = entry.get("subset") or split
    split = "" if split == "default" else split
    near = [path.parent / "images" / split, path.parent / "images", path.parent]
    file = finder.find(name, where, *near)
    item = Item(str(Path(name.replace("\\", "/")).with_suffix("")), file, split, seen=True)
    said = entry.get("height") and entry.get("width")
    size = (_whole(entry, "height", where), _whole(entry, "width", where)) if said else None
    item.size = checked_size(file, size, where)
    grouped = {each.get("group_id") for each in entry if each.tag in _AREAS} - {None, "0"}
    for number, each in enumerate(entry, 1):
        _annotation(each, item, grouped, f"{where}, {each.tag} {number}", found)
    return item


def _annotation(each: Element, item: Item, grouped: set[str | None], where: str, found: Collection) -> None:
    name = (each.get("label") or "").strip()
    found.unused["attributes of annotations"] += len(each.findall("attribute"))
    if not name:
        found.unused[f"{each.tag} annotations without a class"] += 1
        return
    _add(name, found)
    if each.tag == "tag":
        item.labels.setdefault(LABELS, []).append(name)
    elif each.tag == "box":
        if each.get("group_id") not in grouped:
            item.boxes.append(Box(name, _sides(each, where)))
    elif each.tag in _AREAS:
        order = _whole(each, "z_order", where, 0)
        item.shapes.append(Shape(name, _mask(each, where), is_void(name), order))
    else:
        found.unused[f"{each.tag} annotations"] += 1


def _mask(each: Element, where: str) -> Callable[[Size], np.ndarray]:
    if each.tag == "polygon":
        try:
            points = [float(value) for pair in (each.get("points") or "").split(";") for value in pair.split(",")]
        except ValueError:
            points = []
        if len(points) < 6 or len(points) % 2:
            raise DataError(f"{where}: its points are no three pairs of numbers or more: mend or remove it")
        return polygon_mask([points])
    if each.tag == "ellipse":
        x, y, across, down = (_number(each, key, where) for key in ("cx", "cy", "rx", "ry"))
        return ellipse_mask(x, y, across, down, _number(each, "rotation", where, 0.0))
    return _runs(each, where)


def _runs(each: Element, where: str) -> Callable[[Size], np.ndarray]:
    """A mask as runs, of 0 and of 1 by turns, row by row within a box."""
    left, top, width, height = (_whole(each, key, where) for key in ("left", "top", "width", "height"))
    try:
        runs = [int(run) for run in (each.get("rle") or "").split(",")]
    except ValueError:
        raise DataError(f"{where}: its runs are no numbers: export it again") from None
    if min(width, height) < 1 or min(runs) < 0 or sum(runs) != width * height:
        raise DataError(f"{where}: its runs cover {sum(runs)} pixels, its box is {width}x{height}: export it again")

    def mask(size: Size) -> np.ndarray:
        part = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
        if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
            raise DataError(f"{where}: its box at {left}, {top} does not lie within {size[1]}x{size[0]}: mend it")
        canvas = np.zeros(size, bool)
        canvas[top : top + height, left : left + width] = part
        return canvas

    return mask


def _sides(each: Element, where: str) -> tuple[float, float, float, float]:
    """The upright box around a box, which may be turned around its centre."""
    left, top, right, bottom = (_number(each, key, where) for key in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.reshape(box_corners(left, top, right, bottom), (-1, 2))
    corners = turned(corners, (left + right) / 2, (top + bottom) / 2, _number(each, "rotation", where, 0.0))
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    return left, top, right, bottom


def _number(each: Element, key: str, where: str, default: float | None = None) -> float:
    text = each.get(key)
    if text is None and default is not None:
        return default
    try:
        return float(text or "")
    except ValueError:
        raise DataError(f"{where}: {key} is {text!r}, no number: export it again") from None


def _whole(each: Element, key: str, where: str, default: float | None = None) -> int:
    return round(_number(each, key, where, default))
