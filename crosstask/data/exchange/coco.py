"""COCO's JSON of any shape: instances, panoptic maps and image-level labels, in whatever folders they lie."""

from __future__ import annotations

import fnmatch
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crosstask.data.adapters.coco_annotations import Names, read_annotations
from crosstask.data.adapters.runs import runs_of, to_mask
from crosstask.data.decode.files import load_label
from crosstask.data.exchange.images import Images, checked_size, split_in
from crosstask.data.exchange.items import LOWEST, Box, Collection, Item, Shape, Size, is_void
from crosstask.data.exchange.masks import polygon_mask
from crosstask.errors import DataError
from crosstask.reading import regular

LABELS = "labels"


def read_coco(root: Path, images: Path | None, annotations: str | None) -> Collection:
    """The annotations of all files of COCO below a folder, or of one file.

    Of files about the same split, one gives the shapes (``instances_*`` before ``panoptic_*`` before others) and
    all give what they say of whole images; which were passed over is noted.

    Raises:
        DataError: no file, or a broken one.
    """
    files = _files(root, annotations)
    if not files:
        raise DataError(f"{root}: holds no annotation file of COCO (JSON with images, annotations and categories)")
    finder = Images(images or (root if root.is_dir() else root.parent))
    names = Names.of([(content["categories"], path) for path, content in files])
    found = Collection([], [name for name in names.all if not is_void(name)])
    items: dict[tuple[str, str], Item] = {}
    shaped: dict[str, Path] = {}
    for path, content in sorted(files, key=lambda each: _rank(each[0], each[1])):
        split = split_in(path.stem, path.parent.name)
        draws = _kind(content) != "labels" and shaped.setdefault(split, path) == path
        if not draws and _kind(content) != "labels":
            found.notes.append(f"{path.name} is passed over: the shapes are those of {shaped[split].name}")
            continue
        _Reader(path, content, finder, split, items, found).read()
    found.items = list(items.values())
    return found


def _files(root: Path, annotations: str | None) -> list[tuple[Path, dict[str, Any]]]:
    paths = [root] if root.is_file() else sorted(root.rglob("*.json"))
    if annotations is not None:
        paths = [path for path in paths if fnmatch.fnmatch(path.name, annotations)]
    found = []
    for path in paths:
        try:
            content = json.loads(regular(path).read_text("utf-8-sig"))
        except (OSError, ValueError) as error:
            if root.is_file() or annotations is not None:
                raise DataError(f"{path}: is not valid JSON ({error}): mend the file") from None
            continue
        if root.is_file() or (isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content)):
            found.append((path, read_annotations(path)))
    return found


def _folders(path: Path) -> list[str]:
    """Where tools put the images of an annotation file, ``instances_train2017.json`` say."""
    part = path.stem.partition("_")[2]
    return [f"images/{part}", part, "images"] if part else ["images"]


def _kind(content: dict[str, Any]) -> str:
    entries = content["annotations"]
    if any("segments_info" in entry for entry in entries[:1]):
        return "panoptic"
    shaped = any(entry.get("segmentation") or entry.get("bbox") or entry.get("keypoints") for entry in entries)
    return "instances" if shaped or not entries else "labels"


def _rank(path: Path, content: dict[str, Any]) -> tuple[int, str]:
    order = ("instances", "panoptic", "stuff")
    kind = next((place for place, name in enumerate(order) if path.name.startswith(name)), len(order))
    return kind + 10 * path.name.startswith("person_keypoints"), str(path)


@lru_cache(maxsize=8)
def _stored(path: Path) -> np.ndarray:
    return load_label(path).astype(np.int64)


class _Reader:
    """Reads one file into the items that there are."""

    def __init__(
        self, path: Path, content: dict[str, Any], finder: Images, split: str, items: dict, found: Collection
    ) -> None:
        self.path, self.content, self.found = path, content, found
        self.names = {entry["id"]: str(entry["name"]).strip() for entry in content["categories"]}
        shaped = [bool(entry.get("iscrowd")) for entry in content["annotations"] if entry.get("segmentation")]
        self.crowds = not all(shaped)
        if shaped and not self.crowds:
            found.notes.append(f"{path.name} marks every shape iscrowd, as tools do that write masks: they are classes")
        self.items: dict[Any, Item] = {}
        for image in content["images"]:
            name = str(image["file_name"])
            file = finder.find(name, str(path), path.parent, *(finder.folder / part for part in _folders(path)))
            said = (int(image["height"]), int(image["width"])) if image.get("height") and image.get("width") else None
            item = Item(Path(name).with_suffix("").as_posix().lstrip("/"), file, split)
            item.size = checked_size(file, said, f"{path}, image {image['id']}")
            item = self.items[image["id"]] = items.setdefault((split, str(file)), item)
            if "neg_category_ids" in image:
                self._looked_for(image, item)

    def read(self) -> None:
        for entry in self.content["annotations"]:
            where = f"{self.path}: annotation {entry.get('id')} of image {entry.get('image_id')}"
            if entry.get("image_id") not in self.items:
                raise DataError(f"{where}: the file lists no such image: add it to images, or remove the annotation")
            item = self.items[entry["image_id"]]
            item.seen = True
            if "segments_info" in entry:
                self.found.covering = True
                item.shapes += self._panoptic(entry, where)
            else:
                self._annotation(entry, item, where)

    def _looked_for(self, image: dict[str, Any], item: Item) -> None:
        """What LVIS says of an image: only the categories that were annotated in it, and these, were looked for."""
        self.found.federated = True
        for number in image["neg_category_ids"]:
            item.absent.add(
                self._name({"category_id": number}, f"{self.path}: neg_category_ids of image {image['id']}")
            )
            item.seen = True

    def _name(self, entry: dict[str, Any], where: str) -> str:
        if entry.get("category_id") not in self.names:
            listed = ", ".join(map(str, list(self.names)[:8]))
            raise DataError(
                f"{where}: has the category_id {entry.get('category_id')!r}, which the file does not list ({listed}): "
                "add it to categories, or remove the annotation"
            )
        return self.names[entry["category_id"]]

    def _panoptic(self, entry: dict[str, Any], where: str) -> list[Shape]:
        path = self.path.with_suffix("") / str(entry["file_name"])
        if not path.is_file():
            raise DataError(f"{where}: its map {path} is not there: complete the folder")

        def mask(number: int, size: Size) -> np.ndarray:
            stored = _stored(path)
            if stored.shape != (*size, 3):
                raise DataError(f"{path}: is {stored.shape}, the image {size}: mend the file")
            return stored @ np.array([1, 256, 256**2]) == number

        shapes = []
        for segment in entry["segments_info"]:
            name, number = self._name(segment, where), int(segment["id"])
            unknown = bool(segment.get("iscrowd")) or is_void(name)
            shapes.append(Shape(name, lambda size, number=number: mask(number, size), unknown))  # type: ignore[misc]
        return shapes

    def _annotation(self, entry: dict[str, Any], item: Item, where: str) -> None:
        name, box = self._name(entry, where), entry.get("bbox")
        if entry.get("keypoints"):
            self.found.unused["keypoints"] += 1
        mask = self._mask(entry, where)
        if mask is not None:
            crowd = self.crowds and bool(entry.get("iscrowd"))
            item.shapes.append(Shape(name, mask, crowd or is_void(name), LOWEST if crowd else 0))
        elif isinstance(box, list) and len(box) == 4:
            left, top, width, height = map(float, box)
            item.boxes.append(Box(name, (left, top, left + width, top + height)))
        elif not entry.get("keypoints"):
            item.labels.setdefault(LABELS, []).append(name)

    def _mask(self, entry: dict[str, Any], where: str) -> Any:
        shape = entry.get("segmentation")
        if isinstance(shape, dict):
            runs = runs_of(shape.get("counts"), where)
            return lambda size: to_mask(runs, tuple(shape.get("size") or size), size, where)
        if not shape:
            return None
        polygons = [shape] if not isinstance(shape[0], list) else shape
        if not all(isinstance(value, (int, float)) for polygon in polygons for value in polygon):
            raise DataError(f"{where}: its segmentation is {shape!r:.60}: polygons or runs are read")
        if any(len(polygon) % 2 for polygon in polygons):
            raise DataError(f"{where}: a polygon holds an odd number of coordinates: mend it")
        areas = [polygon for polygon in polygons if len(polygon) >= 6]
        if len(areas) < len(polygons):
            self.found.unused["polygons of one or two points"] += len(polygons) - len(areas)
        return polygon_mask(areas) if areas else None
