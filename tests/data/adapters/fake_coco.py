"""A tiny fake copy of COCO 2017: panoptic and instance annotations of the categories a recipe names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.data.adapters.scenes import save, scene

GAP = 3
"""Category ids have gaps: the i-th is GAP * i + 1."""


def write(root: Path, names: Sequence[str], things: int, train: int = 4, test: int = 2) -> None:
    """Image i shows thing i in front of the last category (a stuff); its first rows are not labelled."""
    every = [{"id": GAP * i + 1, "name": name, "isthing": int(i < things)} for i, name in enumerate(names)]
    instances = [{key: entry[key] for key in ("id", "name")} for entry in every[:things]]
    for split, numbers in {"train": range(train), "val": range(train, train + test)}.items():
        images, panoptic, objects = [], [], []
        for number in numbers:
            made = scene(number, 64, 96)
            stem = f"{number + 1:012}"
            save(root / f"{split}2017" / f"{stem}.jpg", made.image)
            segments = np.where(made.box, 70000 + number, 300)
            segments[:4] = 0
            colours = np.stack([segments % 256, segments // 256 % 256, segments // 65536], -1).astype(np.uint8)
            save(root / "annotations" / f"panoptic_{split}2017" / f"{stem}.png", colours)
            images.append({"id": number + 1, "file_name": f"{stem}.jpg", "height": 64, "width": 96})
            info = [
                {"id": 70000 + number, "category_id": GAP * number + 1},
                {"id": 300, "category_id": every[-1]["id"]},
            ]
            panoptic.append({"image_id": number + 1, "file_name": f"{stem}.png", "segments_info": info})
            rows, columns = np.nonzero(made.box)
            left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
            polygon = [int(value) for value in (left, top, right, top, right, bottom, left, bottom)]
            one = {"id": number, "image_id": number + 1, "category_id": GAP * number + 1}
            objects.append(one | {"segmentation": [polygon], "area": 900, "iscrowd": 0})
            runs = {"counts": [0, 5, 64 * 96 - 5], "size": [64, 96]}  # by columns, starting with a run of zeros
            objects.append(one | {"id": 100 + number, "segmentation": runs, "area": 5, "iscrowd": 1})
        folder = root / "annotations"
        for name, categories, entries in (("panoptic", every, panoptic), ("instances", instances, objects)):
            content = {"images": images, "annotations": entries, "categories": categories}
            (folder / f"{name}_{split}2017.json").write_text(json.dumps(content))
