"""A tiny fake copy of the preprocessed NYU-v2 and Cityscapes, in their exact layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.adapters.scenes import save, scene


def write_nyuv2(root: Path, train: int = 4, test: int = 2) -> None:
    """288x384: image in [0, 1], labels 0..12 and -1, depth (H, W, 1) with 0 unknown, normals with zero vectors."""
    for split, count in {"train": train, "val": test}.items():
        for number in range(count):
            made = scene(number, 288, 384)
            semantic = np.where(made.box, 9, 4).astype(np.float32)
            semantic[:20] = -1
            depth = made.depth[..., None].copy()
            depth[:, :10] = 0
            normal = np.where(made.box[..., None], [0.0, 0.0, 1.0], [0.0, 0.8, 0.6]).astype(np.float32)
            normal[-10:] = 0
            arrays = {"image": made.image / np.float32(255), "label": semantic, "depth": depth, "normal": normal}
            for name, array in arrays.items():
                save(root / split / name / f"{number}.npy", array)
            save(root / split / "sam" / f"{number}.png", made.box.astype(np.uint16) + 1)


def write_cityscapes(root: Path, train: int = 4, test: int = 2, label: str = "label_7") -> None:
    """128x256: labels 0..6 and -1, and under the name depth the stored disparity over 65535."""
    for split, count in {"train": train, "val": test}.items():
        for number in range(count):
            made = scene(number, 128, 256)
            semantic = np.where(made.box, 6, 0).astype(np.float32)
            semantic[-8:] = -1
            disparity = (0.3 / made.depth)[..., None].astype(np.float32)
            disparity[:, :10] = 0
            for name, array in {"image": made.image / 255.0, label: semantic, "depth": disparity}.items():
                save(root / split / name / f"{number}.npy", array)
            save(root / split / "sam_GRAY" / f"{number}.png", made.box.astype(np.uint16) + 1)
