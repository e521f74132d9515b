"""Annotation files of COCO: categories of several files as one list, and the class map of an image."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np
from PIL import Image, ImageDraw
from typing_extensions import override

from crosstask.data.adapters.runs import runs_of, to_mask
from crosstask.data.decode.files import load_label
from crosstask.errors import DataError, nearest
from crosstask.reading import regular

Boxes = Literal["refuse", "unknown", "fill"]
BACKGROUND = "background"


def read_annotations(path: Path) -> dict[str, Any]:
    """An annotation file.

    Raises:
        DataError: it is none, or its polygons are not in pixels.
    """
    try:
        content = json.loads(regular(path).read_text("utf-8-sig"))
        for key in ("images", "annotations", "categories"):
            content[key]
        for image in content["images"]:
            if "file_name" not in image and "coco_url" in image:  # LVIS
                image["file_name"] = urlsplit(str(image["coco_url"])).path.lstrip("/")
            image["id"], image["file_name"]
        for category in content["categories"]:
            category["id"], category["name"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not an annotation file of COCO, or not a whole one ({error})") from None
    beyond = (max(polygon) > 1 for polygon in _polygons(content["annotations"]))
    if not (next(beyond, True) or any(beyond)):
        raise DataError(
            f"{path}: no polygon leaves the first pixel, so they are shares of the image (0 to 1): multiply them by "
            "its width and height"
        )
    return content


def _polygons(annotations: list[dict[str, Any]]) -> Iterator[list[float]]:
    for entry in annotations:
        shape = entry.get("segmentation")
        if isinstance(shape, list) and shape:
            polygons = shape if isinstance(shape[0], list) else [shape]
            yield from (each for each in polygons if each and all(isinstance(value, (int, float)) for value in each))


@dataclass(frozen=True)
class Names:
    """One list of categories for several files.

    Attributes:
        all: the names, in the order of the first file, then those that only later ones have.
        things: those that are things.
    """

    all: list[str]
    things: list[str]

    @classmethod
    def of(cls, files: Sequence[tuple[list[dict[str, Any]], Path]]) -> Names:
        """
        Raises:
            DataError: a file gives a name, or an id, twice.
        """
        things: dict[str, bool] = {}
        for categories, path in files:
            for key in ("id", "name"):
                values = [str(category[key]) for category in categories]
                twice = next((value for value in values if values.count(value) > 1), None)
                if twice is not None:
                    raise DataError(f"{path}: two categories have the {key} {twice!r}: give each its own")
            for category in categories:
                things.setdefault(str(category["name"]).strip(), bool(category.get("isthing", 1)))
        return cls(list(things), [name for name, thing in things.items() if thing])

    def classes(self, labels: str) -> list[str]:
        """The names of the classes: for instances, the background before the things."""
        if labels == "panoptic":
            return self.all
        return [BACKGROUND, *(name for name in self.things if name != BACKGROUND)]


class Annotations:
    """An annotation file.

    Attributes:
        images: its images.
        files: further files that are needed.
    """

    labels: ClassVar[str]
    files: list[Path]

    def __init__(self, content: dict[str, Any], path: Path, names: Names) -> None:
        self.path = path
        self.images = sorted(content["images"], key=lambda image: image["file_name"])
        self.categories = {category["id"]: str(category["name"]).strip() for category in content["categories"]}
        classes = names.classes(self.labels)
        self.unknown = 255 if len(classes) < 256 else 65535
        self.type = np.dtype(np.uint8 if self.unknown == 255 else np.uint16)
        self.class_of = {name: index for index, name in enumerate(classes)}
        self.thing_of = {name: index for index, name in enumerate(names.things)}

    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        """The class map of an image, (H, W), and the tags that are present."""
        raise NotImplementedError

    def category(self, entry: dict[str, Any], what: str) -> str:
        """The name of a category.

        Raises:
            DataError: it is not listed.
        """
        number = entry.get("category_id")
        if number not in self.categories:
            known = nearest(str(number), [str(key) for key in self.categories])
            raise DataError(
                f"{self.path}: {what} has the category_id {number!r}, which the file does not list: add it to "
                f"categories, or remove the annotation ({known})"
            )
        return self.categories[number]


class Panoptic(Annotations):
    """Maps of segments, all pixels known but those of segment 0."""

    labels = "panoptic"

    def __init__(self, content: dict[str, Any], path: Path, names: Names) -> None:
        super().__init__(content, path, names)
        self.annotations = {annotation["image_id"]: annotation for annotation in content["annotations"]}
        self.images = [image for image in self.images if image["id"] in self.annotations]
        self.files = [path.with_suffix("") / entry["file_name"] for entry in self.annotations.values()]

    @override
    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        annotation = self.annotations[image["id"]]
        stored = load_label(self.path.with_suffix("") / annotation["file_name"]).astype(np.int64)
        ids, inverse = np.unique(stored @ np.array([1, 256, 256**2]), return_inverse=True)
        segments = annotation["segments_info"]
        names = {segment["id"]: self.category(segment, f"segment {segment['id']}") for segment in segments}
        unlisted = set(ids.tolist()) - set(names) - {0}
        if unlisted:
            raise DataError(
                f"{self.path}: lists no segment {min(unlisted)} of {annotation['file_name']}: mend the file"
            )
        classes = [self.class_of[names[segment]] if segment else self.unknown for segment in ids.tolist()]
        present = {self.thing_of[names[segment]] for segment in ids.tolist() if names.get(segment) in self.thing_of}
        return np.array(classes, self.type)[inverse].reshape(stored.shape[:2]), present


class Instances(Annotations):
    """Masks of things, painted from large to small."""

    labels = "instances"

    def __init__(self, content: dict[str, Any], path: Path, names: Names, boxes: Boxes = "refuse") -> None:
        super().__init__(content, path, names)
        self.files = []
        self.boxes = boxes
        self.annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
        if any("neg_category_ids" in image for image in self.images):
            raise DataError(
                f"{path}: not all classes were looked for in each image (neg_category_ids, as in LVIS): "
                "crosstask convert datumaro --format coco reads that"
            )
        known = {image["id"] for image in self.images}
        for annotation in content["annotations"]:
            if annotation.get("image_id") not in known:
                raise DataError(
                    f"{path}: {_named(annotation)} is of the image {annotation.get('image_id')!r}, which the file does "
                    "not list: add it to images, or remove the annotation"
                )
            self.annotations[annotation["image_id"]].append(annotation)

    @override
    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        size = (image["height"], image["width"])
        canvas = np.zeros(size, self.type)
        drawn = []
        present = set()
        for annotation in self.annotations.get(image["id"], []):
            name = self.category(annotation, _named(annotation))
            mask = self._mask(annotation, size)
            boxed = mask is None
            mask = self._box(annotation, size) if mask is None else mask
            value = self.unknown if boxed and self.boxes == "unknown" else self.class_of[name]
            drawn.append((not boxed, -float(annotation.get("area") or mask.sum()), mask, value))
            present |= {self.thing_of[name]} if name in self.thing_of else set()
        for _, _, mask, value in sorted(drawn, key=lambda entry: entry[:2]):  # boxes lie below masks
            canvas[mask] = value
        return canvas, present

    def _mask(self, annotation: dict[str, Any], size: tuple[int, int]) -> np.ndarray | None:
        """The mask of an annotation, None where it has no more than a box."""
        shape = annotation.get("segmentation")
        where = f"{self.path}: {_named(annotation)}"
        if isinstance(shape, dict):
            return to_mask(runs_of(shape.get("counts"), where), tuple(shape.get("size") or size), size, where)
        if shape is not None and not isinstance(shape, list):
            raise DataError(f"{where}: its segmentation is {shape!r:.60}: polygons or runs are read")
        polygons = [shape] if shape and not isinstance(shape[0], list) else shape or []
        if any(len(polygon) % 2 for polygon in polygons):
            raise DataError(f"{where}: a polygon holds an odd number of coordinates: mend it")
        areas = [polygon for polygon in polygons if len(polygon) >= 6]
        if not areas:
            return None
        mask = Image.new("1", (size[1], size[0]))
        for polygon in areas:
            ImageDraw.Draw(mask).polygon(polygon, fill=1)
        return np.array(mask)

    def _box(self, annotation: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
        where, box = f"{self.path}: {_named(annotation)}", annotation.get("bbox")
        if self.boxes == "refuse" or not (isinstance(box, list) and len(box) == 4):
            remedy = "give --boxes unknown (its pixels) or --boxes fill" if box else "remove it"
            raise DataError(
                f"{where} has {'a box but ' if box else ''}no mask (segmentation "
                f"{annotation.get('segmentation')!r:.40}): {remedy}"
            )
        left, top, width, height = (float(value) for value in box)
        mask = np.zeros(size, bool)
        mask[max(round(top), 0) : max(round(top + height), 0), max(round(left), 0) : max(round(left + width), 0)] = True
        return mask


def _named(annotation: dict[str, Any]) -> str:
    return f"annotation {annotation.get('id')} of image {annotation.get('image_id')}"
