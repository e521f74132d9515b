"""A tiny labelled set for round trips: blobs of three classes, unknown pixels, tags, a category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from crosstask.data.table.table import Table, write_table
from crosstask.tasks import Category, Segmentation, Tagging

CLASSES = ["sky", "tree house", "cat"]
SIZE = (48, 64)
TASKS = {
    "semantic": Segmentation("semantic", classes=CLASSES),
    "tags": Tagging("tags", classes=["wet", "night", "indoor"]),
    "place": Category("place", classes=["street", "park"]),
}
TAGS = ("wet;indoor", "-", "night", "")


def write_labelled(folder: Path, unknown: bool = False) -> Table:
    """Four images in two splits; the last has no label at all."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(4):
        name = f"street/{index}" if index else "a 0"
        noise = gaussian_filter(rng.normal(size=(3, *SIZE)), (0, 5, 5))
        ids = noise.argmax(0).astype(np.uint8)
        if unknown:
            ids[5:12, 20:33] = 255
        for part, array in (("rgb", rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)), ("masks", ids)):
            path = folder / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
        row = {"id": name, "image": f"rgb/{name}.png", "split": "val" if index == 2 else "train"}
        known = {"semantic": f"masks/{name}.png", "place": "park" if index % 2 else "street", "tags": TAGS[index]}
        rows.append(row | (known if index < 3 else dict.fromkeys(known, "")))
    return write_table(Table(folder / "data.csv", ("id", "image", "split", "semantic", "tags", "place"), rows))
