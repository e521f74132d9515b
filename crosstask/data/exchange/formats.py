"""The formats by name. Those that Datumaro reads rightly are read by it; the others have a reader of their own here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from crosstask.data.exchange.cityscapes import read_cityscapes
from crosstask.data.exchange.coco import read_coco
from crosstask.data.exchange.cvat import read_cvat
from crosstask.data.exchange.items import Collection
from crosstask.data.exchange.label_studio import read_label_studio
from crosstask.data.exchange.labelme import read_labelme
from crosstask.data.exchange.through_datumaro import known, read_through_datumaro
from crosstask.data.exchange.yolo import read_yolo
from crosstask.errors import DataError, nearest

Reader = Callable[[Path, Path | None, str | None], Collection]

READERS: dict[str, Reader] = {
    "coco": read_coco,
    "cvat": read_cvat,
    "label_studio": read_label_studio,
    "labelme": read_labelme,
    "yolo": read_yolo,
    "cityscapes": read_cityscapes,
}
"""Readers by format, called with the folder, the folder of images (or None) and a pattern of files (or None)."""

ALIASES = {
    "labelstudio": "label_studio", "labelme_json": "labelme", "masks": "common_semantic_segmentation",
    "coco_instances": "coco", "coco_panoptic": "coco", "coco_labels": "coco", "coco_stuff": "coco",
    "roboflow_coco": "coco", "mmdet_coco": "coco", "yolo_ultralytics": "yolo", "roboflow_yolo": "yolo",
    "cvat_xml": "cvat", "voc_segmentation": "voc",
}  # fmt: skip
"""Other names of the same."""


def read(name: str, root: Path, images: Path | None = None, annotations: str | None = None) -> Collection:
    """Annotations in the format ``name``.

    Raises:
        DataError: there is no such format, nothing there, or something broken.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    plain = ALIASES.get(plain, plain)
    for path in (root, images):
        if path is not None and not path.exists():
            raise DataError(f"{path}: no such file or folder: check the path")
    if root.is_file() and zipfile.is_zipfile(root):
        raise DataError(f"{root}: is an archive: unpack it, and give the folder")
    if images is not None and not images.is_dir():
        raise DataError(f"{images}: is no folder of images: check --images")
    if plain in READERS:
        return READERS[plain](root, images, annotations)
    if plain not in known():
        raise DataError(f"there is no format {name!r}; {nearest(plain, [*READERS, *ALIASES, *known()])}")
    if annotations is not None:
        raise DataError(f"--annotations is for {', '.join(READERS)}: leave it out for {name}")
    return read_through_datumaro(root, images, plain)
