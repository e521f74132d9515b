"""A tiny fake copy of Cityscapes in the layout of its official packages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.data.adapters.scenes import save, scene

BASELINE, FX = 0.2, 100.0


def write(root: Path, train: int = 4, test: int = 2) -> None:
    """Ids 7 (road) and 26 (car), 1 (the ego vehicle, unknown); disparity p = 256 d + 1 with 0 unknown."""
    for split, count, city in (("train", train, "aachen"), ("val", test, "lindau"), ("test", 1, "berlin")):
        for number in range(count):
            made = scene(number, 64, 128)
            stem = f"{city}_{number:06}_000019"
            ids = np.where(made.box, 26, 7).astype(np.uint8)
            ids[-6:] = 1
            disparity = np.rint(BASELINE * FX / made.depth * 256 + 1).astype(np.uint16)
            disparity[:, :8] = 0
            save(root / f"leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png", made.image)
            save(root / f"gtFine/{split}/{city}/{stem}_gtFine_labelIds.png", ids)
            save(root / f"disparity/{split}/{city}/{stem}_disparity.png", disparity)
            camera = root / f"camera/{split}/{city}/{stem}_camera.json"
            camera.parent.mkdir(parents=True, exist_ok=True)
            inner = {"fx": FX, "fy": FX + 1, "u0": 63.5, "v0": 31.5}
            camera.write_text(json.dumps({"extrinsic": {"baseline": BASELINE, "pitch": 0.03}, "intrinsic": inner}))
