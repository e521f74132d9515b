"""The folder of the tutorial, small: photos with masks for some, depth for others, tags for yet others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks import Depth, Segmentation, Tagging

TAGS = ["lamp", "rug", "sofa"]


def write_shop(folder: Path, train: int = 12, test: int = 3, size: tuple[int, int] = (48, 64)) -> None:
    """Write the folder ``shop`` of docs/tutorial.md; every training photo has one label, every test photo all."""
    tasks = {
        "semantic": Segmentation("semantic", classes=["floor", "wall"]),
        "depth": Depth("depth"),
        "tags": Tagging("tags", classes=TAGS),
    }
    tags = {}
    for split, count, first in (("train", train, 0), ("test", test, train)):
        rooms = RoomsDataset(count, tasks, size=size, start=first)
        for index in range(count):
            sample, name = rooms[index], f"{first + index + 1:04d}"
            classes = sample.targets["semantic"].numpy()
            masks = np.where(classes < 0, 2, classes).astype(np.uint8)  # what is neither floor nor wall is a thing
            depth = np.rint(np.nan_to_num(sample.targets["depth"][0].numpy()) * 1000).astype(np.uint16)
            photo = np.rint(sample.image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            _save(photo, folder / split / "photos" / f"{name}.jpg")
            if split == "test" or index % 3 == 0:
                _save(masks, folder / split / "masks" / f"{name}.png")
            if split == "test" or index % 3 == 1:
                _save(depth, folder / split / "depth" / f"{name}.png")
            if split == "test" or index % 3 == 2:
                present = sample.targets["tags"].tolist()
                tags[name] = [tag for tag, there in zip(TAGS, present, strict=True) if there == 1]
    (folder / "tags.json").write_text(json.dumps(tags))


def _save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
