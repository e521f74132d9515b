"""PASCAL VOC 2012 segmentation, with the extra masks of SBD where they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.adapters.image_tags import read_tags, tags_cell
from crosstask.data.adapters.lists import read_names
from crosstask.data.decode.files import load_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The foreground classes 1 to 20; 0 is the background, 255 the unknown rim of objects."""
MASKS, NONE = "masks", "none"


class Voc(Adapter):
    """VOC 2012: 1,464 training images (10,582 with SBD's masks, "trainaug") and the 1,449 of ``val``.

    JPEGImages/ID.jpg
    SegmentationClass/ID.png           palette PNG: the index of a pixel is its class
    SegmentationClassAug/ID.png        of SBD, as papers share them: grey PNG of the same values
    ImageSets/Segmentation/train.txt   one id per line

    ``val``, which papers report on, is the split ``test``; hold a validation part out of ``train``. Columns:
    ``semantic`` (0 background, 1 to 20, 255 unknown), ``tags`` (the 20 foreground classes by name), ``saliency`` on
    demand.

    Traps: the lists of SBD come in several kinds (bare ids, pairs of paths, ``/JPEGImages/ID.jpg``), all of which are
    read. ``trainaug`` must not hold images of ``val``. The image tags that papers share as ``cls_labels.npy`` are a
    pickle and never opened; the message says how to convert them.

    Args:
        root: the folder VOC2012 of VOCdevkit.
        masks: folder of the masks, SegmentationClassAug for SBD; relative to root.
        train: list of the training images; ImageSets/Segmentation/train.txt by default.
        val: list of the images to report on; ImageSets/Segmentation/val.txt by default.
        test: list of the owners' test images, which have no labels; they become the split ``submission``.
        tags: "masks" to derive the tags from the masks, a JSON or .npz file of tags by id, or "none".
        saliency: folder of saliency maps, ID.png (8-bit, 255 salient); an image without one has no label.
    """

    source = Source("PASCAL VOC 2012", "the VOC 2012 page at host.robots.ox.ac.uk (masks of SBD: its authors' page)")

    def __init__(
        self,
        root: str,
        *,
        masks: str = "SegmentationClass",
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        tags: str = MASKS,
        saliency: str | None = None,
    ) -> None:
        self.root = Path(root)
        self.masks = self.root / masks
        self.lists = {"train": train, "test": val, "submission": test}
        self.tags = tags
        self.saliency = None if saliency is None else Path(saliency)

    @override
    def table(self, output: Output) -> Table:
        images = self.source.require(self.root / "JPEGImages", "the images")
        self.source.require(self.masks, "the masks")
        split = self._splits()
        self.source.complete([images / f"{name}.jpg" for name in split], "images")
        masks = {name: self.masks / f"{name}.png" for name in split if split[name] != "submission"}
        self.source.complete(list(masks.values()), "masks")
        rows = {
            name: {"id": name, "image": output.cell(images / f"{name}.jpg"), "split": split[name]}
            | ({"semantic": output.cell(masks[name])} if name in masks else {})
            for name in split
        }
        for name, cell in self._tags(masks, output).items():
            if name in rows:
                rows[name]["tags"] = cell
        for name in self._salient(rows):
            rows[name]["saliency"] = output.cell(self.saliency / f"{name}.png")  # type: ignore[operator]
        return table_of(list(rows.values()), output)

    def _splits(self) -> dict[str, str]:
        """Split by id."""
        split: dict[str, str] = {}
        for part, given in self.lists.items():
            default = {"train": "train.txt", "test": "val.txt"}.get(part)
            if given is None and default is None:
                continue
            path = Path(given) if given is not None else self.root / "ImageSets" / "Segmentation" / str(default)
            names = read_names(self.source.require(path, f"the list of the {part} images"))
            twice = [name for name in names if split.get(name, part) != part]
            if twice:
                raise DataError(
                    f"{path}: {twice[0]} is in the {split[twice[0]]} list too ({len(twice)} are): an image is in one"
                )
            split |= dict.fromkeys(names, part)
        return split

    def _tags(self, masks: dict[str, Path], output: Output) -> dict[str, str]:
        if self.tags == NONE:
            return {}
        if self.tags != MASKS:
            cells = read_tags(Path(self.tags), CLASSES)
            if not set(cells) & set(masks):
                raise DataError(f"{self.tags}: none of its {len(cells)} ids is an image of {self.root}: check the file")
            return cells
        return dict(zip(masks, output.each(_present, masks.values()), strict=True))

    def _salient(self, rows: dict[str, dict[str, str]]) -> list[str]:
        if self.saliency is None:
            return []
        found = [name for name in rows if (self.saliency / f"{name}.png").exists()]
        if not found:
            raise DataError(f"{self.saliency}: holds no saliency map of an image, {next(iter(rows))}.png say")
        return found


def _present(mask: Path) -> str:
    """The tags of an image from its mask."""
    held = np.unique(load_label(mask))
    return tags_cell((int(value) - 1 for value in held if 1 <= value <= len(CLASSES)), CLASSES)
