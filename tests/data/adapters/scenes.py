"""A made-up picture with labels that fit each other, for fake copies of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image


class Scene(NamedTuple):
    """A tilted floor, with a box in front of it.

    Attributes:
        image: uint8 (H, W, 3).
        box: bool (H, W), where the box is.
        depth: float32 (H, W), metres.
    """

    image: np.ndarray
    box: np.ndarray
    depth: np.ndarray


def scene(number: int, height: int, width: int) -> Scene:
    """The scene of a number."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    top, left = rng.uniform(0.1, 0.4, 2)
    box = (rows > top) & (rows < top + 0.4) & (columns > left) & (columns < left + 0.4)
    depth = np.where(box, 1.5, 1 / (0.1 + 0.4 * rows)).astype(np.float32)
    shade = np.stack([rows, columns, np.where(box, 0.9, 0.2)], -1)
    return Scene((255 * (0.8 * shade + 0.2 * rng.random(3))).astype(np.uint8), box, depth)


def save(path: Path, array: np.ndarray, palette: bool = False) -> None:
    """An array as .npy, .png or .jpg; a palette picture shows its indices in colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
        return
    picture = Image.fromarray(array)
    if palette:
        picture.putpalette([value * 37 % 256 for value in range(768)])
    picture.save(path)
