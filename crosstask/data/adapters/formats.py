"""Annotations of tools and data sets of many formats, mostly read through Datumaro."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.table.table import Table
from crosstask.writing import write


class Formats(Adapter):
    """Annotations in a format of an annotation tool or of a published set: class maps written on conversion (PNG, 255
    unknown), tags or a category where whole images are labelled, numbers; splits kept.

    coco (any layout: instances, panoptic, labels), cvat, label_studio, voc, yolo (polygons too), labelme (JSON),
    label_me (XML), cityscapes, masks (images, masks and dataset_meta.json), imagenet, camvid, ade20k2017,
    mapillary_vistas, open_images, datumaro, and whatever else Datumaro reads.

    Pixels of crowds, of void regions and of boxes without a shape are unknown. What no shape covers is the class
    "background" (the last one, unless the set has one), but unknown in formats that give every pixel a class. Shapes
    are painted in their order, and from large to small. What no task can use is counted and said.

    Args:
        root: the folder, or the file of annotations.
        format: the name of the format.
        images: folder of the images, where they are not beside the annotations.
        annotations: pattern of the names of the annotation files to read, panoptic_*.json say.
        labels: what labels of whole images become: category, tags, or auto (a category where all have exactly one).
        things: make tags of the names of all shapes and boxes of an image.
        empty: what an image is that is annotated with nothing: unknown (it has no label), or all background.
    """

    source = Source("the data set", "the tool that wrote it")

    def __init__(
        self,
        root: str,
        *,
        format: str,
        images: str | None = None,
        annotations: str | None = None,
        labels: Literal["auto", "category", "tags"] = "auto",
        things: bool = False,
        empty: Literal["unknown", "background"] = "unknown",
    ) -> None:
        self.root, self.format, self.annotations = Path(root), format, annotations
        self.images = None if images is None else Path(images)
        self.labels, self.things, self.empty = labels, things, empty

    def table(self, output: Output) -> Table:
        """The table; what could not be used is in :attr:`said`, and the tasks for a recipe.

        Raises:
            DataError: there is no such format, or no label that a task can use, or something is missing or broken.
        """
        from crosstask.data.exchange.formats import read
        from crosstask.data.exchange.tabulate import tabulate

        found = read(self.format, self.root, self.images, self.annotations)
        made = tabulate(found, output, labels=self.labels, things=self.things, empty=self.empty)
        listed = {name: options["classes"] for name, options in made.tasks.items() if "classes" in options}
        write(output.files / "classes.json", json.dumps(listed, indent=1, ensure_ascii=False))
        self.said = (*made.notes, "for the recipe:", *made.recipe().rstrip().splitlines())
        return table_of(made.rows, output)
