"""A tiny set of images with coloured squares: tags for all, saliency maps, masks that can be hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.data.table.table import Table, write_table

COLOURS = {"red": (220, 40, 40), "blue": (40, 60, 220)}
TASKS = """
  semantic: {kind: segmentation, classes: [background, red, blue]}
  saliency: {kind: saliency}
  tags: {kind: tags, classes: [red, blue]}
"""


def write_squares(folder: Path, train: int = 6, test: int = 2, size: tuple[int, int] = (32, 48)) -> Path:
    """Write images with a red square on the left, a blue one on the right, or both; returns the path of the table."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(train + test):
        name = f"{index:03d}"
        image = rng.integers(90, 130, (*size, 3))
        mask = np.zeros(size, np.uint8)
        tags = [("red",), ("blue",), ("red", "blue")][index % 3]
        for tag in tags:
            top, left = rng.integers(2, 12), {"red": 3, "blue": 27}[tag] + rng.integers(0, 4)
            window = np.s_[top : top + 14, left : left + 14]
            image[window] = COLOURS[tag]
            mask[window] = 1 + list(COLOURS).index(tag)
        files = {"images": image.astype(np.uint8), "masks": mask, "saliency": (mask > 0).astype(np.uint8) * 255}
        for kind, array in files.items():
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
        rows.append({
            "id": name, "image": f"images/{name}.png", "split": "train" if index < train else "test",
            "tags": ";".join(tags), "saliency": f"saliency/{name}.png", "semantic": f"masks/{name}.png",
        })  # fmt: skip
    table = Table(folder / "squares.csv", ("id", "image", "split", "tags", "saliency", "semantic"), rows)
    return write_table(table).path


def write_recipe(folder: Path, table: Path, training: str = "", refine: str = "") -> Path:
    """A recipe of rounds on the table, each of which trains in a second."""
    path = folder / "recipe.yaml"
    length = "" if "iterations" in training else "iterations: 4, "
    path.write_text(
        f"data: {{table: '{table}', size: [32, 48], workers: 0, validation_fraction: 0}}\n"
        f"tasks:{TASKS}"
        "network:\n"
        "  encoder: small\n  encoder_options: {width: 4, output_stride: 8}\n"
        "  decoder: affinity\n  decoder_options: {width: 8, dilations: [1, 2]}\n"
        "objectives: {supervised: {}, initial: {}}\n"
        f"training: {{{length}batch_size: 2, log_every: 1, accelerator: cpu, {training}}}\n"
        f"refine: {{rounds: 1, masks: semantic, {refine}}}\n"
    )
    return path
