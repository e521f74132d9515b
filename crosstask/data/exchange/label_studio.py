"""Label Studio's JSON export: brushes, polygons, ellipses, choices and numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from crosstask.data.exchange.brush import decode_brush
from crosstask.data.exchange.images import Images, checked_size
from crosstask.data.exchange.items import Box, Collection, Item, Shape, Size, is_void
from crosstask.data.exchange.masks import ellipse_mask, polygon_mask
from crosstask.errors import DataError, UserError
from crosstask.reading import read_json, read_text


def read_label_studio(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """The tasks of an export in JSON (not JSON-MIN), a file or the files of a folder.

    Of several annotations of an image the one marked as ground truth is taken, then the newest; cancelled ones are
    none, and predictions are taken where there is no annotation. Images are found by the end of their address. The
    labelling interface, ``labeling_config.xml`` beside the export, gives the names that nobody has chosen yet.

    Raises:
        DataError: no export, or a broken one.
    """
    paths = [root] if root.is_file() else sorted(root.glob(annotations or "*.json"))
    finder = Images(images or (root if root.is_dir() else root.parent))
    found = Collection([])
    for path in sorted((root if root.is_dir() else root.parent).glob("label*config*.xml")):
        _configured(path, found)
    for path in paths:
        try:
            content = read_json(path, "export the project as JSON", most=2**31)
        except UserError as error:
            raise DataError(str(error)) from None
        if not (isinstance(content, list) and all(isinstance(task, dict) for task in content)):
            continue
        if content and not any("data" in task for task in content):
            raise DataError(f"{path}: is no export in JSON (JSON-MIN leaves out sizes): choose JSON in Label Studio")
        for task in content:
            item = _Task(task, path, finder, found).item()
            if item is not None:
                found.items.append(item)
    if not found.items:
        raise DataError(f"{root}: holds no task of Label Studio: give its export in JSON")
    return found


def _configured(path: Path, found: Collection) -> None:
    """Take the names, their order and the kinds of questions from a labelling interface, where one is there."""
    try:
        view = ElementTree.fromstring(read_text(path))
    except (ElementTree.ParseError, UserError) as error:
        raise DataError(f"{path}: is no labelling interface ({error}): mend it, or remove it") from None
    for part in view.iter():
        names = [child.get("value") or "" for child in part if child.tag in ("Label", "Choice")]
        if part.tag in ("BrushLabels", "PolygonLabels", "EllipseLabels"):
            found.classes += [name for name in names if name not in found.classes and not is_void(name)]
        elif part.tag == "Choices":
            found.names[part.get("name", "choices")] = names
            if part.get("choice") == "multiple":
                found.several.add(part.get("name", "choices"))


def _brush(packed: list[int], where: str, size: Size) -> np.ndarray:
    return decode_brush(packed, size, where)


class _Task:
    """An image with its results."""

    def __init__(self, task: dict[str, Any], path: Path, finder: Images, found: Collection) -> None:
        self.task, self.found, self.finder = task, found, finder
        self.where = f"{path}, task {task.get('id')}"

    def item(self) -> Item | None:
        results, seen = self._results()
        names = {str(result.get("to_name")) for result in results}
        data = self.task.get("data")
        texts = {
            key: value for key, value in (data if isinstance(data, dict) else {}).items() if isinstance(value, str)
        }
        keys = [key for key in texts if key in names] or [key for key in ("image", "img", "photo") if key in texts]
        keys = keys or [key for key, value in texts.items() if "/" in value]
        if not keys:
            self.found.unused["tasks without an image"] += 1
            return None
        name = texts[keys[0]]
        file = self.finder.find(name, self.where)
        item = Item(file.relative_to(self.finder.folder).with_suffix("").as_posix(), file, seen=seen)
        for result in results:
            try:
                self._result(result, item)
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise DataError(f"{self.where}, result {result.get('id')}: is broken ({error!r}): mend it") from None
        return item

    def _results(self) -> tuple[list[dict[str, Any]], bool]:
        given = [each for each in self.task.get("annotations") or [] if not each.get("was_cancelled")]
        if len(given) > 1:
            self.found.unused["annotations beside the one that was taken"] += len(given) - 1
            given.sort(key=lambda each: (bool(each.get("ground_truth")), str(each.get("updated_at") or "")))
        if given:
            return list(given[-1].get("result") or []), True
        made = self.task.get("predictions") or []
        made = [each for each in made if isinstance(each, dict)]
        return (list(made[-1].get("result") or []), True) if made else ([], False)

    def _result(self, result: dict[str, Any], item: Item) -> None:
        kind, value = result["type"], result.get("value", {})
        question = str(result.get("from_name") or kind)
        if kind in ("choices", "taxonomy"):
            chosen = value[kind]
            names = [str(each[-1] if isinstance(each, list) else each) for each in chosen]
            item.labels.setdefault(question, []).extend(names)
            self._list(self.found.names.setdefault(question, []), names)
        elif kind in ("number", "rating"):
            item.numbers[question] = [float(value[kind])]
        elif kind in ("brushlabels", "polygonlabels", "ellipselabels", "rectanglelabels"):
            self._shape(kind, result, value, item)
        else:
            self.found.unused[f"results of the type {kind}"] += 1

    def _shape(self, kind: str, result: dict[str, Any], value: dict[str, Any], item: Item) -> None:
        labels = [str(name) for name in value.get(kind) or []]
        if not labels:
            self.found.unused["shapes without a label"] += 1
            return
        said = (int(result["original_height"]), int(result["original_width"]))
        size = item.size = checked_size(item.image, said, self.where)
        wide, high = size[1] / 100, size[0] / 100  # coordinates are in percent
        name = labels[0]
        if kind != "rectanglelabels":
            self._list(self.found.classes, [label for label in labels[:1] if not is_void(label)])
        if kind == "rectanglelabels":
            left, top = value["x"] * wide, value["y"] * high
            sides = (left, top, left + value["width"] * wide, top + value["height"] * high)
            item.boxes.append(Box(name, sides))
            return
        mask: Callable[[Size], np.ndarray]
        if kind == "brushlabels":
            packed, where = value["rle"], f"{self.where}, result {result.get('id')}"
            mask = partial(_brush, packed, where)
        elif kind == "polygonlabels":
            mask = polygon_mask([[part for x, y in value["points"] for part in (x * wide, y * high)]])
        else:
            centre = value["x"] * wide, value["y"] * high
            mask = ellipse_mask(*centre, value["radiusX"] * wide, value["radiusY"] * high)
        item.shapes.append(Shape(name, mask, is_void(name)))

    @staticmethod
    def _list(names: list[str], further: list[str]) -> None:
        names.extend(name for name in dict.fromkeys(further) if name not in names)
