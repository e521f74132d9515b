"""COCO: panoptic or instance annotations, made into class maps and image tags."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.adapters.coco_annotations import Annotations, Boxes, Instances, Names, Panoptic, read_annotations
from crosstask.data.adapters.image_tags import tags_cell
from crosstask.data.decode.files import image_size
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.writing import write

_SPLITS = {"train": "train", "val": "test"}


class Coco(Adapter):
    """COCO: class maps written on conversion (PNG, 255 unknown), and tags.

    train2017/*.jpg, val2017/*.jpg
    annotations/panoptic_train2017.json with annotations/panoptic_train2017/*.png
    annotations/instances_train2017.json

    ``val``, which papers report on, is the split ``test``. Columns: ``semantic`` and ``tags`` (the things in an image).
    The class of a category is its place in the list of the annotation files, as category ids have gaps: 133 classes for
    panoptic annotations, whose unlabelled pixels are unknown; for instances the background is class 0 and the 80
    things follow. ``classes.json`` beside the maps names them in this order. Classes are told apart by name: files
    that number or order their categories differently, or list only those that occur, give one list, that of ``train``
    first. More than 255 classes are written with 16 bits, 65535 unknown.

    Traps: what no instance covers is "background" only as far as the 80 categories go. Polygons are filled by Pillow,
    which differs by a pixel at the rim from the owners' tool. Small instances are painted over large ones. A crowd of
    things counts as the thing.

    Args:
        root: the folder with ``annotations`` and the images.
        labels: panoptic or instances.
        year: the release, 2017 or 2014.
        boxes: what an annotation with a box and no mask (or polygons of less than three points) becomes: refuse it;
            unknown, the pixels in its box are; fill, the box is taken for the thing. Its tag is present.
        saliency: folder of saliency maps, NAME.png (8-bit, 255 salient); an image without one has no label.
    """

    source = Source("COCO", "the download page at cocodataset.org")

    def __init__(
        self,
        root: str,
        *,
        labels: Literal["panoptic", "instances"] = "panoptic",
        year: Literal[2014, 2017] = 2017,
        boxes: Boxes = "refuse",
        saliency: str | None = None,
    ) -> None:
        self.root = Path(root)
        self.labels = labels
        self.year = year
        self.boxes = boxes
        self.saliency = None if saliency is None else Path(saliency)

    @override
    def table(self, output: Output) -> Table:
        parts = {}
        for split, name in _SPLITS.items():
            stem = f"{self.labels}_{split}{self.year}"
            path = self.source.require(
                self.root / "annotations" / f"{stem}.json", f"the {self.labels} annotations of {split}"
            )
            images = self.source.require(self.root / f"{split}{self.year}", f"the {split} images")
            parts[name] = (read_annotations(path), path, images)
        names = Names.of([(content["categories"], path) for content, path, _ in parts.values()])
        rows: list[dict[str, str]] = []
        for name, (content, path, images) in parts.items():
            rows += self._rows(name, content, path, images, names, output)
        if self.saliency is not None and not any(row["saliency"] for row in rows):
            raise DataError(f"{self.saliency}: holds no saliency map of an image, {rows[0]['id']}.png say")
        listed = {"semantic": names.classes(self.labels), "tags": names.things}
        write(output.files / "classes.json", json.dumps(listed, indent=1))
        return table_of(rows, output)

    def _salient(self, stem: str, output: Output) -> dict[str, str]:
        if self.saliency is None:
            return {}
        path = self.saliency / f"{stem}.png"
        return {"saliency": output.cell(path) if path.exists() else ""}

    def _rows(
        self, split: str, content: dict[str, Any], path: Path, images: Path, names: Names, output: Output
    ) -> list[dict[str, str]]:
        part: Annotations
        if self.labels == "panoptic":
            part = Panoptic(content, path, names)
        else:
            part = Instances(content, path, names, self.boxes)
        self.source.complete([images / image["file_name"] for image in part.images], "images")
        self.source.complete(part.files, "panoptic maps")
        stems = Counter(Path(image["file_name"]).stem for image in part.images)

        def row(image: dict[str, Any]) -> dict[str, str]:
            file = Path(image["file_name"])
            name = file.stem if stems[file.stem] == 1 else file.with_suffix("").as_posix()
            if not (image.get("height") and image.get("width")):
                image = image | dict(zip(("height", "width"), image_size(images / file), strict=True))
            classes, things = part.label(image)
            return {
                "id": name,
                "image": output.cell(images / file),
                "split": split,
                "semantic": output.save(f"semantic/{split}/{name}", classes),
                "tags": tags_cell(things, names.things),
                **self._salient(name, output),
            }

        return output.each(row, part.images)
