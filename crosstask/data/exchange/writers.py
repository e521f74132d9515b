"""The formats that are written. Each writer takes samples, the names, and an empty folder."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import yaml
from PIL import Image

from crosstask.data.decode.files import image_size
from crosstask.data.exchange import into_datumaro
from crosstask.data.exchange.brush import encode_brush
from crosstask.data.exchange.labelled import Labels, Sample
from crosstask.data.exchange.masks import polygons_of


@dataclass(frozen=True)
class Form:
    """A format that is written.

    Attributes:
        write: called with samples, names and the folder.
        shapes: whether it holds classes of pixels.
        labels: the kinds of tasks it holds of whole images.
        questions: how many of these tasks.
        through: whether the library writes it.
    """

    write: Callable[[Iterable[Sample], Labels, Path], None]
    shapes: bool = True
    labels: tuple[str, ...] = ("tags", "category")
    questions: int = 1
    through: bool = False


def label_studio(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
    """``tasks.json`` with predictions (brushes and choices), ``labeling_config.xml``, ``images``."""
    tasks = []
    for number, sample in enumerate(samples, 1):
        path = sample.copy(out / "images").relative_to(out).as_posix()
        results: list[dict[str, Any]] = []
        for _, name, mask in sample.masks(labels):
            value = {"format": "rle", "rle": encode_brush(mask), "brushlabels": [name]}
            size = {"original_width": mask.shape[1], "original_height": mask.shape[0], "image_rotation": 0}
            results.append({"type": "brushlabels", "from_name": labels.dense, "value": value, **size})
        for task, names in sample.labels.items():
            results.append({"type": "choices", "from_name": task, "value": {"choices": names}})
        results = [{"id": f"{number}-{place}", "to_name": "image"} | result for place, result in enumerate(results)]
        tasks.append(
            {
                "data": {"image": f"/data/local-files/?d={path}"},
                "predictions": [{"model_version": "crosstask", "result": results}] if results else [],
            }
        )
    (out / "tasks.json").write_text(json.dumps(tasks, ensure_ascii=False), "utf-8")
    (out / "labeling_config.xml").write_text(_config(labels), "utf-8")


def _config(labels: Labels) -> str:
    lines = ["<View>", '  <Image name="image" value="$image" zoom="true"/>']
    if labels.classes:
        lines.append(f'  <BrushLabels name={quoteattr(labels.dense)} toName="image">')
        for name, colour in zip(labels.shapes, labels.colours, strict=True):
            lines.append(f'    <Label value={quoteattr(name)} background="#{bytes(colour).hex()}"/>')
        lines.append("  </BrushLabels>")
    for task, names in labels.questions.items():
        choice = "multiple" if task in labels.several else "single"
        lines.append(f'  <Choices name={quoteattr(task)} toName="image" choice="{choice}">')
        lines += [f"    <Choice value={quoteattr(name)}/>" for name in names]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>"]) + "\n"


def labelme(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
    """A JSON file beside a copy of each image: masks, and flags for names of the whole image."""
    for sample in samples:
        path = sample.copy(out)
        shapes = []
        for _, name, mask in sample.masks(labels):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            corners = [[int(columns[0]), int(rows[0])], [int(columns[-1]), int(rows[-1])]]
            part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            entry: dict[str, Any] = {
                "label": name,
                "points": corners,
                "shape_type": "mask",
                "group_id": None,
                "flags": {},
            }
            shapes.append(entry | {"mask": _png(part)})
        size = sample.classes.shape if sample.classes is not None else image_size(path)
        flags = {name: name in said for task, said in sample.labels.items() for name in labels.questions[task]}
        content = {"version": "5.5.0", "flags": flags, "shapes": shapes, "imagePath": path.name, "imageData": None}
        content |= {"imageHeight": size[0], "imageWidth": size[1]}
        path.with_suffix(".json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _png(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def yolo(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
    """``images``, ``labels`` with polygons, and ``data.yaml``."""
    splits: dict[str, None] = {}
    for sample in samples:
        splits.setdefault(sample.split)
        sample.copy(out / "images" / sample.split)
        if sample.classes is None:
            continue
        path = out / "labels" / sample.split / f"{sample.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = sample.classes.shape[::-1]
        lines = []
        for number, _, mask in sample.masks(labels):
            for points in polygons_of(mask):
                shares = (f"{value / scale[place % 2]:.6f}" for place, value in enumerate(points))
                lines.append(" ".join([str(number), *shares]))
        path.write_text("".join(f"{line}\n" for line in lines))
    folders = {name or "train": f"images/{name}" if name else "images" for name in splits}
    folders.setdefault("train", "images")
    folders.setdefault("val", folders["train"])
    names = dict(enumerate(labels.shapes))
    content = {"path": ".", **folders, "names": names}
    (out / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")


def masks(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
    """``images``, ``masks`` in colours, and ``dataset_meta.json``, which names them."""
    colours = np.array(labels.colours, np.uint8)
    meta = {
        "label_map": {str(number): name for number, name in enumerate(labels.shapes)},
        "segmentation_colors": colours.tolist(),
    }
    for sample in samples:
        name = sample.name.replace("/", "_")
        sample.copy(out / "images", name)
        if sample.classes is not None:
            (out / "masks").mkdir(exist_ok=True)
            Image.fromarray(colours[sample.classes]).save(out / "masks" / f"{name}.png")  # -1 is the last
    (out / "dataset_meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")


def folders(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
    """``CATEGORY/NAME``, or ``SPLIT/CATEGORY/NAME``; images without a category are left out."""
    for sample in samples:
        for names in sample.labels.values():
            sample.copy(out / sample.split / names[0].replace("/", "_"))


def through(name: str, **options: Any) -> Callable[[Iterable[Sample], Labels, Path], None]:
    """A writer by the library."""

    def write(samples: Iterable[Sample], labels: Labels, out: Path) -> None:
        into_datumaro.export(samples, labels, out, name, **options)

    return write


WRITERS: dict[str, Form] = {
    "coco": Form(through("coco", segmentation_mode="mask"), through=True),
    "coco_panoptic": Form(through("coco_panoptic"), labels=(), through=True),
    "cvat": Form(through("cvat"), through=True),
    "voc": Form(through("voc_segmentation"), labels=(), through=True),
    "cityscapes": Form(through("cityscapes"), labels=(), through=True),
    "datumaro": Form(through("datumaro"), through=True),
    "label_studio": Form(label_studio, questions=1000),
    "labelme": Form(labelme),
    "yolo": Form(yolo, labels=()),
    "masks": Form(masks, labels=()),
    "folders": Form(folders, shapes=False, labels=("category",)),
}
"""The formats by name."""
