"""Semantic segmentation: one class per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Classes, Factor, Share
from crosstask.tasks.base import Orientation
from crosstask.tasks.cells import require_distinct
from crosstask.tasks.classification import Classification
from crosstask.tasks.files import looked_up, remap_table, vectors, whole
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.metrics.segmentation import SegmentationMetric
from crosstask.tasks.palette import class_colours
from crosstask.tasks.pictures import coloured, fitted
from crosstask.tasks.targets import Map, as_target


class SemanticMap(Map):
    """Class ids, int64 (H, W), -1 unknown.

    >>> import torch
    >>> as_target(SemanticMap, torch.tensor([[0, -1]])).known()
    tensor([[ True, False]])
    """

    UNKNOWN = -1


class Segmentation(Classification):
    """One of several classes for each pixel; cross-entropy, mIoU.

    The raw prediction holds logits. A mean of weighted losses divides by the summed class weights of the pixels, as
    ``torch.nn.CrossEntropyLoss`` does.

    >>> import torch
    >>> task = Segmentation("semantic", classes=["wall", "floor", "chair"])
    >>> target = torch.tensor([[[0, 1, -1]]])
    >>> int(task.loss(torch.zeros(1, 3, 1, 3), target).count)  # the last pixel is unknown
    2
    >>> task.parse(np.array([[2, 255]], np.uint8)).tolist()
    [[2, -1]]

    Args:
        name: name of the task.
        classes: the names of the classes, or how many there are.
        ignore: id, or ids, of unknown pixels in the files, 255 unless given (65535 for more than 255 classes); -1 is
            unknown anyway.
        offset: what is subtracted from the ids of the files: 1 where they begin at 1 and 0 is unlabelled.
        class_weights: weight of each class in the loss, or ``balanced``; all 1 by default.
        label_smoothing: how much of a label is spread over all classes, in [0, 1).
        remap: class of each id in the files, where they differ; ids that are not listed are unknown.
        colours: for masks stored in colours, the RGB of each class (null for one that no colour stands for); other
            colours are unknown.
        orientation: how labels lie beside images that EXIF turns.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "segmentation"
    target_type: ClassVar = SemanticMap
    conventions = ("ignore", "offset", "remap", "colours", "orientation")
    error_name = "probability given to other classes"
    error_unit = ""

    def __init__(
        self,
        name: str,
        *,
        classes: Classes | list[str],
        ignore: int | list[int] | None = None,
        offset: int = 0,
        class_weights: list[Factor] | Literal["balanced"] | None = None,
        label_smoothing: Share = 0.0,
        remap: dict[int, int] | None = None,
        colours: list[list[int] | None] | None = None,
        orientation: Orientation = "auto",
    ) -> None:
        super().__init__(name, classes, class_weights, label_smoothing)
        default = 255 if self.channels + offset <= 255 or remap is not None else 65535
        require_distinct("ignore", ignore if isinstance(ignore, list) else ())
        self.ignored = [default] if ignore is None else [ignore] if isinstance(ignore, int) else list(ignore)
        self.remap = remap
        self.offset = offset
        self.orientation = orientation
        self.colours = None if colours is None else _colours(colours, self.channels)
        self._check_conventions(ignore)
        self._table = None if remap is None else _table(remap, self.channels)
        self._held = self._in_files()

    @override
    def metric(self) -> SegmentationMetric:
        return SegmentationMetric(self._classes)

    @override
    def check(self, target: Tensor) -> None:
        if target.ndim != 2 or target.is_floating_point():
            raise ValueError(f"a segmentation target is integer (H, W), found {target.dtype} {tuple(target.shape)}")
        self._check_range(target.as_subclass(Tensor).numpy())

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(coloured(value.as_subclass(Tensor), class_colours(self._classes)), size)

    @override
    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        return 1 - (self.activate(prediction) * self.values(target)).sum(1)

    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        """The classes that occur in the values, in the recipe's order."""
        shown = sorted({int(index) for value in values for index in value.as_subclass(Tensor).unique() if index >= 0})
        colours = class_colours(self._classes).tolist()
        return Legend(swatches=tuple((self._classes[index], tuple(colours[index])) for index in shown))

    @override
    def parse(self, cell: Any) -> SemanticMap:
        if self.colours is not None:
            return as_target(SemanticMap, self._of_colours(vectors(cell, self.kind)))
        ids = whole(cell, self.kind)
        if self._table is not None:
            return as_target(SemanticMap, looked_up(ids, self._table))
        stored = ids
        for value in self.ignored:
            ids = np.where(stored == value, SemanticMap.UNKNOWN, ids)
        if self.offset:
            below = (ids >= 0) & (ids < self.offset)
            ids = np.where(below | (ids < 0), np.minimum(ids, SemanticMap.UNKNOWN), ids - self.offset)
            ids[below] = SemanticMap.UNKNOWN
        self._check_range(ids)
        return as_target(SemanticMap, ids)

    def encode(self, value: Tensor) -> np.ndarray:
        """What :meth:`parse` reads as these classes (H, W): ids as uint8, uint16 where they need it, or RGB (H, W, 3).

        Of several ids of a class the lowest is written. A class without id or colour becomes unknown: nothing stands
        for it in files.
        """
        held = self._held[value.as_subclass(Tensor).cpu().numpy()]  # -1 is the last
        if self.colours is not None:
            return np.stack([held >> 16, held >> 8 & 255, held & 255], -1).astype(np.uint8)
        return held.astype(np.uint8 if self._held.max() < 256 else np.uint16)

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return size

    def _of_colours(self, planes: np.ndarray) -> np.ndarray:
        if planes.dtype != np.uint8:
            raise ValueError(f"a mask of colours holds {planes.dtype} values: store 8-bit RGB, or class ids")
        packed = planes[0].astype(np.int64) << 16 | planes[1].astype(np.int64) << 8 | planes[2]
        ids = np.full(packed.shape, SemanticMap.UNKNOWN, np.int64)
        for index, colour in enumerate(self.colours or ()):
            ids[packed == colour] = index
        return ids

    def _in_files(self) -> np.ndarray:
        """What files hold for each class, and last for unknown: (C + 1)."""
        if self.colours is not None:
            unknown = next(colour for colour in (0xFFFFFF, 0, *range(1, 0xFFFFFF)) if colour not in self.colours)
            return np.array([unknown if colour < 0 else colour for colour in (*self.colours, -1)])
        ids = range(self.offset, self.channels + self.offset) if self.remap is None else self.remap
        marks = [value for value in self.ignored if value >= 0]
        unknown = next(value for value in (*marks, 255, 65535, *range(65535)) if value not in ids)
        if self.remap is None:
            return np.array([*ids, unknown])
        held = {index: stored for stored, index in sorted(self.remap.items(), reverse=True)}
        return np.array([held.get(index, unknown) for index in (*range(self.channels), -1)])

    def _check_conventions(self, ignore: int | list[int] | None) -> None:
        if self.colours is not None and (self.remap is not None or self.offset or ignore is not None):
            raise ValueError(
                "colours says what each colour is: leave out ignore, offset and remap, which are about ids"
            )
        if self.remap is not None and self.offset:
            raise ValueError("remap says what each id is: leave out offset")
        if self.offset < 0:
            raise ValueError(f"offset is {self.offset}: give what is subtracted from the ids of the files, 0 or more")
        used = set(range(self.offset, self.channels + self.offset)) if self.remap is None else set(self.remap)
        both = [value for value in self.ignored if value in used]
        if both and not (self.remap is not None and self.ignored == [255]):
            raise ValueError(
                f"ignore is {both[0]}, the id of a class: the ids in the files are {min(used)} to {max(used)}, so give "
                "another id (-1 is always unknown), or say in remap which id is which class"
            )
        if any(value >= 2**16 for value in self.ignored):
            raise ValueError(f"ignore is {max(self.ignored)}: ids in the files go up to 65535")

    def _check_range(self, ids: np.ndarray) -> None:
        lowest, highest = int(ids.min()), int(ids.max())
        if lowest >= SemanticMap.UNKNOWN and highest < self.channels:
            return
        first, last = self.offset, self.channels - 1 + self.offset
        wrong = (highest if highest >= self.channels else lowest) + (self.offset if highest >= self.channels else 0)
        count = int((ids == (highest if highest >= self.channels else lowest)).sum())
        if highest == self.channels and not self.offset:
            remedy = "set offset: 1 if ids begin at 1 (0 is then unlabelled), or raise the number of classes"
        elif highest < self.channels:
            remedy = f"set ignore: {wrong} where that stands for unknown"
        else:
            remedy = (
                f"raise the number of classes, map ids with remap, or give ignore: {wrong} only if it stands for "
                "unknown (JPEG files change ids: store PNG)"
            )
        raise ValueError(
            f"class id {wrong} at {count} pixels, but {self.name} has {self.channels} classes (ids {first} to {last}, "
            f"{', '.join(map(str, self.ignored))} unknown): correct the file, or {remedy}"
        )


def _colours(colours: list[list[int] | None], count: int) -> list[int]:
    """RGB as one number per class, -1 for none."""
    if len(colours) != count:
        raise ValueError(f"colours holds {len(colours)} for {count} classes: give one for each, null for none")
    for colour in colours:
        if colour is not None and (len(colour) != 3 or not all(0 <= part <= 255 for part in colour)):
            raise ValueError(f"colours holds {colour}: a colour is red, green and blue, 0 to 255 each")
    packed = [-1 if colour is None else colour[0] << 16 | colour[1] << 8 | colour[2] for colour in colours]
    twice = next((colour for colour in packed if colour >= 0 and packed.count(colour) > 1), None)
    if twice is not None:
        raise ValueError(f"colours holds {colours[packed.index(twice)]} twice: each class has a colour of its own")
    return packed


def _table(remap: dict[int, int], count: int) -> np.ndarray:
    wrong = {file_id: index for file_id, index in remap.items() if file_id < 0 or not 0 <= index < count}
    if not remap or wrong:
        found = "nothing" if not remap else ", ".join(f"{key}: {index}" for key, index in wrong.items())
        raise ValueError(f"remap holds {found}: map ids of the files, 0 or more, to classes 0 to {count - 1}")
    return remap_table(remap)
