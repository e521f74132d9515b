"""Samples to the formats that Datumaro writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crosstask.data.exchange.labelled import VOID, Labels, Sample
from crosstask.data.exchange.through_datumaro import quiet, require_datumaro
from crosstask.errors import DataError

_NO_CLASS = {"cityscapes": "unlabeled", "voc_segmentation": "ignored"}


def export(samples: Iterable[Sample], labels: Labels, out: Path, name: str, **options: Any) -> None:
    """Write samples, with their images, in a format of the library.

    Unknown pixels become what the format calls them, a class "void" in those that have no word for it, and segment 0
    in panoptic maps.

    Raises:
        DataError: the library cannot write this.
    """
    dm = require_datumaro()
    shapes, colours = list(labels.classes), [tuple(colour) for colour in labels.colours]
    if labels.unknown:
        shapes.append(_NO_CLASS.get(name, VOID))
    if name == "cityscapes":  # what nothing covers is number 0
        shapes, colours = ["unlabeled", *labels.classes], [(0, 0, 0), *colours[: len(labels.classes)]]
    spoken = [each for listed in labels.questions.values() for each in listed if each not in shapes]
    names = [*shapes, *dict.fromkeys(spoken)]
    number = {each: place for place, each in enumerate(names)}
    categories = {dm.AnnotationType.label: dm.LabelCategories.from_iterable(names)}
    if labels.classes:
        categories[dm.AnnotationType.mask] = dm.MaskCategories(dict(enumerate(colours)))
    items = [_item(dm, sample, labels, number, name) for sample in samples]
    with quiet():
        try:
            dataset = dm.Dataset.from_iterable(items, categories=categories, media_type=dm.Image)
            if name == "coco":
                options["tasks"] = [
                    kind for kind, there in (("instances", labels.classes), ("labels", labels.questions)) if there
                ]
            dataset.export(str(out), name, save_media=True, **options)
            if name == "coco":
                _no_crowds(out)
        except Exception as error:  # whatever a library of many formats may raise
            text = " ".join(str(error.__cause__ or error).split())[:200]
            raise DataError(f"{name} cannot be written ({type(error).__name__}: {text})") from None


def _item(dm: Any, sample: Sample, labels: Labels, number: dict[str, int], name: str) -> Any:
    annotations: list[Any] = []
    for place, each, mask in sample.masks(labels):
        if place >= len(labels.classes):
            if name == "coco_panoptic":
                continue
            each = _NO_CLASS.get(name, VOID)
        group = len(annotations) + 1
        annotations.append(dm.Mask(image=mask, label=number[each], id=group, group=group))
    for names in sample.labels.values():
        annotations += [dm.Label(number[each]) for each in names]
    media = dm.Image.from_file(path=str(sample.image), size=None if sample.classes is None else sample.classes.shape)
    return dm.DatasetItem(id=sample.name, subset=sample.split or "default", media=media, annotations=annotations)


def _no_crowds(out: Path) -> None:
    """The library marks every mask as a crowd, which other tools pass over: only unknown regions are."""
    for path in (out / "annotations").glob("instances_*.json"):
        content = json.loads(path.read_text("utf-8"))
        void = {entry["id"] for entry in content["categories"] if entry["name"] == VOID}
        for entry in content["annotations"]:
            entry["iscrowd"] = int(entry["category_id"] in void)
        path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
