"""COCO: panoptic or instance annotations, made into class maps and image tags."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image, ImageDraw

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.adapters.image_tags import tags_cell
from crosstask.data.decode.files import load_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.writing import write

UNKNOWN = 255
_SPLITS = {"train": "train", "val": "test"}


class Coco(Adapter):
    """COCO: class maps written on conversion (8-bit PNG, 255 unknown), and tags.

    train2017/*.jpg, val2017/*.jpg
    annotations/panoptic_train2017.json with annotations/panoptic_train2017/*.png
    annotations/instances_train2017.json

    ``val``, which papers report on, is the split ``test``. Columns: ``semantic`` and ``tags`` (the things in an image).
    The class of a category is its place in the list of the annotation file, as category ids have gaps: 133 classes for
    panoptic annotations, whose unlabelled pixels are unknown; for instances the background is class 0 and the 80
    things follow. ``classes.json`` beside the maps names them in this order.

    Traps: what no instance covers is "background" only as far as the 80 categories go. Polygons are filled by Pillow,
    which differs by a pixel at the rim from the owners' tool. Small instances are painted over large ones. A crowd of
    things counts as the thing.

    Args:
        root: the folder with ``annotations`` and the images.
        labels: panoptic or instances.
        year: the release, 2017 or 2014.
        saliency: folder of saliency maps, NAME.png (8-bit, 255 salient); an image without one has no label.
    """

    source = Source("COCO", "the download page at cocodataset.org")

    def __init__(
        self,
        root: str,
        *,
        labels: Literal["panoptic", "instances"] = "panoptic",
        year: Literal[2014, 2017] = 2017,
        saliency: str | None = None,
    ) -> None:
        self.root = Path(root)
        self.labels = labels
        self.year = year
        self.saliency = None if saliency is None else Path(saliency)

    def table(self, output: Output) -> Table:
        part = _Panoptic if self.labels == "panoptic" else _Instances
        rows: list[dict[str, str]] = []
        for split, name in _SPLITS.items():
            stem = f"{self.labels}_{split}{self.year}"
            path = self.source.require(
                self.root / "annotations" / f"{stem}.json", f"the {self.labels} annotations of {split}"
            )
            images = self.source.require(self.root / f"{split}{self.year}", f"the {split} images")
            annotations = part(_read(path), path)
            listed = annotations.images
            self.source.complete([images / image["file_name"] for image in listed], "images")
            self.source.complete(annotations.files, "panoptic maps")

            def row(
                image: dict[str, Any], split: str = name, images: Path = images, annotations: _Annotations = annotations
            ) -> dict[str, str]:
                stem = Path(image["file_name"]).stem
                classes, things = annotations.label(image)
                return {
                    "id": stem,
                    "image": output.cell(images / image["file_name"]),
                    "split": split,
                    "semantic": output.save(f"semantic/{split}/{stem}", classes),
                    "tags": tags_cell(things, annotations.things),
                    **self._salient(stem, output),
                }

            rows += output.each(row, listed)
            names = {"semantic": annotations.classes, "tags": annotations.things}
            write(output.files / "classes.json", json.dumps(names, indent=1))
        if self.saliency is not None and not any(row["saliency"] for row in rows):
            raise DataError(f"{self.saliency}: holds no saliency map of an image, {rows[0]['id']}.png say")
        return table_of(rows, output)

    def _salient(self, stem: str, output: Output) -> dict[str, str]:
        if self.saliency is None:
            return {}
        path = self.saliency / f"{stem}.png"
        return {"saliency": output.cell(path) if path.exists() else ""}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        for key in ("images", "annotations", "categories"):
            content[key]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not an annotation file of COCO, or not a whole one ({error})") from None
    return content


class _Annotations:
    """An annotation file.

    Attributes:
        images: its images.
        classes: names of the classes, in the order of their numbers.
        things: names of the tags.
        files: further files that are needed.
    """

    offset: ClassVar[int]
    classes: list[str]
    files: list[Path]

    def __init__(self, content: dict[str, Any], path: Path) -> None:
        self.path = path
        self.images = sorted(content["images"], key=lambda image: image["file_name"])
        categories = content["categories"]
        self.class_of = {category["id"]: index + self.offset for index, category in enumerate(categories)}
        things = [category for category in categories if category.get("isthing", 1)]
        self.things = [category["name"] for category in things]
        self.thing_of = {category["id"]: index for index, category in enumerate(things)}

    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        """The class map of an image, uint8 (H, W), and the tags that are present."""
        raise NotImplementedError


class _Panoptic(_Annotations):
    offset = 0

    def __init__(self, content: dict[str, Any], path: Path) -> None:
        super().__init__(content, path)
        self.classes = [category["name"] for category in content["categories"]]
        self.annotations = {annotation["image_id"]: annotation for annotation in content["annotations"]}
        self.images = [image for image in self.images if image["id"] in self.annotations]
        self.files = [path.with_suffix("") / entry["file_name"] for entry in self.annotations.values()]

    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        annotation = self.annotations[image["id"]]
        stored = load_label(self.path.with_suffix("") / annotation["file_name"]).astype(np.int64)
        ids, inverse = np.unique(stored @ np.array([1, 256, 256**2]), return_inverse=True)
        category = {segment["id"]: segment["category_id"] for segment in annotation["segments_info"]}
        unlisted = set(ids.tolist()) - set(category) - {0}
        if unlisted:
            raise DataError(
                f"{self.path}: lists no segment {min(unlisted)} of {annotation['file_name']}: mend the file"
            )
        classes = [self.class_of[category[segment]] if segment else UNKNOWN for segment in ids.tolist()]
        present = {
            self.thing_of[category[segment]] for segment in ids.tolist() if category.get(segment) in self.thing_of
        }
        return np.array(classes, np.uint8)[inverse].reshape(stored.shape[:2]), present


class _Instances(_Annotations):
    offset = 1

    def __init__(self, content: dict[str, Any], path: Path) -> None:
        super().__init__(content, path)
        self.classes = ["background", *self.things]
        self.files = []
        self.annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            self.annotations[annotation["image_id"]].append(annotation)

    def label(self, image: dict[str, Any]) -> tuple[np.ndarray, set[int]]:
        found = self.annotations.get(image["id"], [])
        canvas = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in sorted(found, key=lambda annotation: -annotation.get("area", 0)):
            canvas[self._mask(annotation, canvas.shape)] = self.class_of[annotation["category_id"]]
        return canvas, {self.thing_of[annotation["category_id"]] for annotation in found}

    def _mask(self, annotation: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
        shape = annotation["segmentation"]
        if isinstance(shape, list):
            mask = Image.new("1", (size[1], size[0]))
            for polygon in shape:
                ImageDraw.Draw(mask).polygon(polygon, fill=1)
            return np.array(mask)
        runs = shape["counts"]
        if not isinstance(runs, list) or sum(runs) != size[0] * size[1]:
            raise DataError(f"{self.path}: annotation {annotation['id']} is no list of runs that fills its image")
        return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, order="F")
