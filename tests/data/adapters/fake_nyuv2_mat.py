"""A tiny fake copy of the labeled NYU Depth v2 file, with splits and class maps as they are distributed."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from tests.data.adapters.scenes import scene

FLOOR, BOX = 11, 894
"""The ids of the floor and of the box; they map to 40-classes 2 and 29, those to 13-classes 5 and 7."""


def write(root: Path, count: int = 6, height: int = 120, width: int = 160) -> None:
    """Arrays with their axes reversed, as MATLAB stores them; the splits count from 1."""
    root.mkdir(parents=True, exist_ok=True)
    made = [scene(number, height, width) for number in range(count)]
    labels = [np.where(one.box, BOX, FLOOR).astype(np.uint16) for one in made]
    for label in labels:
        label[:5] = 0
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = np.stack([one.image.transpose(2, 1, 0) for one in made])
        file["depths"] = np.stack([one.depth.T for one in made])
        file["labels"] = np.stack([label.T for label in labels])
    order = np.arange(1, count + 1, dtype=np.uint16)[:, None]
    savemat(root / "splits.mat", {"trainNdxs": order[1::3].tolist() + order[2::3].tolist(), "testNdxs": order[::3]})
    map40 = np.full((1, 894), 40.0)
    map40[0, FLOOR - 1], map40[0, BOX - 1] = 2, 29
    names = np.array([f"class {number}" for number in range(40)], dtype=object)
    savemat(root / "classMapping40.mat", {"mapClass": map40, "className": names})
    map13 = np.full((1, 40), 7.0)
    map13[0, 1] = 5
    savemat(root / "class13Mapping.mat", {"classMapping13": {"labels": map13}})
