"""A tiny data set of real files: 32x48 images with masks, depth, normals, tags and a category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.data.table.table import Table, write_table

TASKS = """
  semantic: {kind: segmentation, classes: [floor, wall, box]}
  depth: {kind: depth}
  normals: {kind: normals}
  tags: {kind: tags, classes: [cat, sofa]}
  place: {kind: category, classes: [indoor, outdoor]}
"""
COLUMNS = ("semantic", "depth", "normals", "tags", "place")


def write_tiny(folder: Path, count: int = 8, size: tuple[int, int] = (32, 48)) -> Path:
    """Write ``count`` samples, every fourth of them test samples, and their table; returns the path of the table."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(count):
        name = f"{index:03d}"
        height, width = size
        mask = (np.arange(height)[:, None] * 3 // height + np.zeros(width, int)).clip(max=2).astype(np.uint8)
        colours = np.stack([mask * 80, 200 - mask * 80, rng.integers(0, 255, size)], -1).astype(np.uint8)
        normals = rng.normal((0, 0, 3), 1, (height, width, 3))
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        files = {
            "image": colours,
            "semantic": mask,
            "depth": (1000 + 500 * mask.astype(int) + rng.integers(0, 50, size)).astype(np.uint16),
            "normals": np.rint((normals + 1) * 127.5).astype(np.uint8),
        }
        row = {"id": name, "split": "test" if index % 4 == 3 else "train"}
        for column, array in files.items():
            path = folder / column / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
            row[column] = f"{column}/{name}.png"
        rows.append(row | {"tags": "cat" if index % 2 else "sofa;cat", "place": "indoor" if index % 3 else "outdoor"})
    table = Table(folder / "data.csv", ("id", "image", "split", *COLUMNS), rows)
    return write_table(table).path


def write_recipe(folder: Path, table: Path, training: str = "") -> Path:
    """A recipe for the table that trains in a second."""
    path = folder / "recipe.yaml"
    usual = {"iterations": "4", "batch_size": "2", "log_every": "1", "accelerator": "cpu"}
    given = ", ".join(f"{key}: {value}" for key, value in usual.items() if f"{key}:" not in training)
    path.write_text(
        f"data: {{table: '{table}', size: [32, 48], labels: one, workers: 0, validation_fraction: 0.34}}\n"
        f"tasks:{TASKS}"
        "network: {encoder: small, encoder_options: {width: 4}}\n"
        f"training: {{{given}, {training}}}\n"
    )
    return path
