"""A tiny fake copy of PASCAL VOC 2012 with SBD's masks, saliency maps and lists of names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.adapters.scenes import save, scene

TRAIN = ["2007_000032", "2007_000039", "2008_000007", "2008_000013"]
VAL = ["2007_000033", "2007_000042"]
TEST = ["2008_000006"]


def write(root: Path) -> None:
    """Image i shows class i + 1 (aeroplane, bicycle, ...); objects have an unknown rim."""
    for number, name in enumerate([*TRAIN, *VAL, *TEST]):
        made = scene(number, 60 + 4 * number, 80)
        save(root / "JPEGImages" / f"{name}.jpg", made.image)
        if name in TEST:
            continue
        mask = np.where(made.box, number + 1, 0).astype(np.uint8)
        rim = made.box & ~np.roll(made.box, 2, 1)
        mask[rim] = 255
        save(root / "SegmentationClass" / f"{name}.png", mask, palette=True)
        save(root / "SegmentationClassAug" / f"{name}.png", mask)
        if name in TRAIN:
            save(root / "saliency" / f"{name}.png", 255 * made.box.astype(np.uint8))
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(TRAIN) + "\n")
    (lists / "val.txt").write_text("\n".join(VAL))  # no newline at the end, as in some copies
    (lists / "test.txt").write_text("".join(f"/JPEGImages/{name}.jpg\n" for name in TEST))
    (lists / "pairs.txt").write_text("".join(f"/JPEGImages/{n}.jpg /SegmentationClassAug/{n}.png\n" for n in TRAIN))
