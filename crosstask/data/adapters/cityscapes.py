"""Cityscapes as its owners distribute it: folders per package, split and city."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, intrinsics, table_of
from crosstask.data.decode.files import load_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.reading import regular

METRE = 256
"""Depth files hold metres times this, 0 unknown: 16 bits reach 255.99 m."""
_IMAGE = "_leftImg8bit.png"
_SPLITS = {"train": "train", "val": "test"}


class Cityscapes(Adapter):
    """The official packages: 2,975 training images and 500 of ``val``, which papers report on and is ``test`` here.

    leftImg8bit/SPLIT/CITY/CITY_SEQ_FRAME_leftImg8bit.png
    gtFine/SPLIT/CITY/CITY_SEQ_FRAME_gtFine_labelIds.png
    disparity/SPLIT/CITY/CITY_SEQ_FRAME_disparity.png
    camera/SPLIT/CITY/CITY_SEQ_FRAME_camera.json

    Columns: ``semantic`` names the official ids (0 to 33) as they are; the recipe's ``remap`` makes the 19 training
    classes of them and leaves the rest unknown. ``disparity`` names the 16-bit files as they are, in which p stands
    for (p - 1) / 256 pixels and 0 for unknown (the task's ``offset: 1``). ``depth`` is baseline * fx / disparity,
    written as 16-bit PNG in 1/256 m on conversion; it comes with the intrinsics.

    Traps: the split ``test`` of the owners has no public labels and is left out. Disparity is of the left camera and
    unknown along the left border and over the car's bonnet.

    Args:
        root: the folder with the packages.
        geometry: disparity, depth (both, with intrinsics; needs the package camera) or none (images and labels only).
    """

    source = Source("Cityscapes", "the download page at cityscapes-dataset.com")
    counts: ClassVar = {"train": 2975, "test": 500}

    def __init__(self, root: str, *, geometry: Literal["disparity", "depth", "none"] = "disparity") -> None:
        self.root = Path(root)
        self.geometry = geometry

    @override
    def table(self, output: Output) -> Table:
        self._require("leftImg8bit", "the images (leftImg8bit_trainvaltest)")
        self._require("gtFine", "the labels (gtFine_trainvaltest)")
        if self.geometry != "none":
            self._require("disparity", "the disparities (disparity_trainvaltest; without them: --geometry none)")
        if self.geometry == "depth":
            self._require("camera", "the cameras (camera_trainvaltest; without them: --geometry disparity)")
        images = [path for split in _SPLITS for path in self._images(split)]
        self._complete(images)
        return table_of(output.each(lambda image: self._row(image, output), images), output)

    def _require(self, package: str, what: str) -> None:
        self.source.require(self.root / package, what)

    def _images(self, split: str) -> list[Path]:
        folder = self.source.require(self.root / "leftImg8bit" / split, f"the {split} images")
        images = sorted(folder.glob(f"*/*{_IMAGE}"))
        if not images:
            raise DataError(f"{folder}: holds no CITY/*{_IMAGE}: get it from {self.source.page}")
        return images

    def _beside(self, image: Path, package: str, ending: str) -> Path:
        name = image.name.removesuffix(_IMAGE)
        return self.root / package / image.relative_to(self.root / "leftImg8bit").parent / f"{name}_{ending}"

    def _complete(self, images: list[Path]) -> None:
        wanted = {"gtFine": "gtFine_labelIds.png"}
        if self.geometry != "none":
            wanted["disparity"] = "disparity.png"
        if self.geometry == "depth":
            wanted["camera"] = "camera.json"
        for package, ending in wanted.items():
            self.source.complete([self._beside(image, package, ending) for image in images], package)

    def _row(self, image: Path, output: Output) -> dict[str, str]:
        name = image.name.removesuffix(_IMAGE)
        split = image.relative_to(self.root / "leftImg8bit").parts[0]
        row = {"id": name, "image": output.cell(image), "split": _SPLITS[split]}
        row["semantic"] = output.cell(self._beside(image, "gtFine", "gtFine_labelIds.png"))
        if self.geometry == "none":
            return row
        disparity = self._beside(image, "disparity", "disparity.png")
        row["disparity"] = output.cell(disparity)
        if self.geometry == "depth":
            baseline, fx, fy, cx, cy = _camera(self._beside(image, "camera", "camera.json"))
            row |= intrinsics((fx, fy, cx, cy))
            row["depth"] = output.save(f"depth/{split}/{name}", depth_of(load_label(disparity), baseline * fx))
        return row


def depth_of(stored: np.ndarray, product: float) -> np.ndarray:
    """Official disparities (H, W) as depth in 1/256 m, uint16; 0 where unknown, infinite or too far.

    Args:
        stored: p, standing for a disparity of (p - 1) / 256 pixels, 0 unknown.
        product: baseline (metres) times fx (pixels).
    """
    disparity = (stored.astype(np.float64) - 1) / 256
    depth = np.divide(product * METRE, disparity, out=np.zeros_like(disparity), where=disparity > 0)
    return np.where(depth < 65535.5, np.rint(depth), 0).astype(np.uint16)


def _camera(path: Path) -> tuple[float, float, float, float, float]:
    """Baseline in metres, and fx, fy, cx, cy in pixels."""
    try:
        camera = json.loads(regular(path).read_text("utf-8"))
        inner = camera["intrinsic"]
        values = (camera["extrinsic"]["baseline"], inner["fx"], inner["fy"], inner["u0"], inner["v0"])
        baseline, fx, fy, cx, cy = (float(value) for value in values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a camera of Cityscapes ({type(error).__name__}: {error})") from None
    return baseline, fx, fy, cx, cy
