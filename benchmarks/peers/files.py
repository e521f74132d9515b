"""The same pictures for all: the NumPy files that research code of these tasks reads, and a table of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import Table, write_table
from crosstask.data.transforms.geometry import Resize
from crosstask.tasks.depth import Depth
from crosstask.tasks.normals import Normals
from crosstask.tasks.segmentation import Segmentation

TASKS = {
    "semseg13": Segmentation("semseg13", classes=13),
    "depth": Depth("depth"),
    "normal": Normals("normal", negate="yz"),
}
COLUMNS = {"semantic": "label", "depth": "depth", "normals": "normal"}


def write_files(source: Path, out: Path, train: int, test: int, size: tuple[int, int]) -> None:
    """``out/train`` and ``out/val`` with ``image``, ``label``, ``depth`` and ``normal`` from the training images in
    ``source``, and ``out/table.csv``; an unknown class is -1, an unknown depth and normal 0."""
    names = sorted(path.stem for path in (source / "train/rgb").iterdir())[: train + test]
    cells = [{"image": f"rgb/{name}.jpg", "normal": f"normal/{name}.jpg"} for name in names]
    for name, row in zip(names, cells, strict=True):
        row |= {"semseg13": f"semseg13/{name}.png", "depth": f"depth/{name}.png"}
    dataset = TableDataset(Table(source / "train/table.csv", ("image", *TASKS), cells), TASKS)
    resize, rows = Resize(size), []
    for index in range(len(dataset)):
        sample = resize(dataset[index], torch.Generator())
        split, number = ("train", index) if index < train else ("val", index - train)
        held = {
            "image": sample.image.permute(1, 2, 0).numpy(),
            "label": sample.targets["semseg13"].float().numpy(),
            "depth": sample.targets["depth"].nan_to_num().reshape(*size, 1).numpy(),
            "normal": sample.targets["normal"].nan_to_num().permute(1, 2, 0).numpy(),
        }
        for name, array in held.items():
            path = out / split / name / f"{number}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
        named = {column: f"{split}/{name}/{number}.npy" for column, name in ({"image": "image"} | COLUMNS).items()}
        rows.append({"split": split, **named})
    write_table(Table(out / "table.csv", ("split", "image", *COLUMNS), rows))
