"""A copy of a table whose images and dense labels are smaller, so that studies on few cores do not mostly decode.

    python -m benchmarks.studies.shrink nyuv2_one nyuv2.csv 96 128 --out runs/nyuv2_96x128

Images shrink with anti-aliasing, labels as every resize of a target does (nearest pixel; normals interpolated and
brought back to unit length); the camera shrinks with them. Tasks are those of the recipe.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import INTRINSICS, Table, read_table, write_table
from crosstask.data.transforms.geometry import Resize
from crosstask.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("table", type=Path)
    parser.add_argument("height", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tasks = Recipe.load(arguments.recipe, ["--data.table", str(arguments.table)]).tasks()
    table = read_table(arguments.table)
    dataset = TableDataset(table, tasks)
    resize = Resize((arguments.height, arguments.width))
    rows = []
    for index in track(range(len(dataset)), "shrinking"):
        sample = resize(dataset[index], torch.Generator())
        row = table.rows[index]
        stem = sample.id.replace("/", "_")
        cells = {"image": _write(arguments.out / "image" / stem, _bytes(sample.image))}
        for name, target in sample.targets.items():
            if row[name]:
                folder = arguments.out / name / stem
                cells[name] = _write(folder, tasks[name].encode(target)) if tasks[name].dense else row[name]
        cells |= dict(zip(INTRINSICS, map(str, sample.intrinsics.tolist()), strict=True))
        rows.append({column: cells.get(column, row.get(column, "")) for column in table.columns})
    write_table(Table(arguments.out / "table.csv", table.columns, rows))


def _bytes(image: torch.Tensor) -> np.ndarray:
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


def _write(path: Path, pixels: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    return f"{path.parent.name}/{path.name}.png"


if __name__ == "__main__":
    main()
