"""Semantic segmentation: one class per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from crosstask.ranges import Classes, Factor, Share
from crosstask.tasks.classification import Classification
from crosstask.tasks.files import looked_up, remap_table, whole
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
        ignore: id of unknown pixels in the files; -1 is unknown anyway. Not used with ``remap``.
        class_weights: weight of each class in the loss, or ``balanced``; all 1 by default.
        label_smoothing: how much of a label is spread over all classes, in [0, 1).
        remap: class of each id in the files, where they differ; ids that are not listed are unknown.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "segmentation"
    target_type: ClassVar = SemanticMap

    def __init__(
        self,
        name: str,
        *,
        classes: Classes | list[str],
        ignore: int = 255,
        class_weights: list[Factor] | Literal["balanced"] | None = None,
        label_smoothing: Share = 0.0,
        remap: dict[int, int] | None = None,
    ) -> None:
        super().__init__(name, classes, class_weights, label_smoothing)
        self.ignore = ignore
        self.remap = remap
        if remap is None and not self.channels <= ignore < 2**16:
            raise ValueError(
                f"ignore is {ignore}: the {self.channels} class ids come first, so give an id of {self.channels} "
                "to 65535 (-1 is always unknown), or list the classes in remap"
            )
        self._unknown = ignore if remap is None else 255 if self.channels < 256 else 65535
        self._table = None if remap is None else _table(remap, self.channels)

    def metric(self) -> SegmentationMetric:
        return SegmentationMetric(self._classes)

    def check(self, target: Tensor) -> None:
        if target.ndim != 2 or target.is_floating_point():
            raise ValueError(f"a segmentation target is integer (H, W), found {target.dtype} {tuple(target.shape)}")
        self._check_range(target.as_subclass(Tensor).numpy())

    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(coloured(value.as_subclass(Tensor), class_colours(self._classes)), size)

    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        """The classes that occur in the values, in the recipe's order."""
        shown = sorted({int(index) for value in values for index in value.as_subclass(Tensor).unique() if index >= 0})
        colours = class_colours(self._classes).tolist()
        return Legend(swatches=tuple((self._classes[index], tuple(colours[index])) for index in shown))

    def parse(self, cell: np.ndarray | str) -> SemanticMap:
        ids = whole(cell, self.kind)
        if self._table is not None:
            return as_target(SemanticMap, looked_up(ids, self._table))
        np.copyto(ids, SemanticMap.UNKNOWN, where=ids == self.ignore)
        self._check_range(ids)
        return as_target(SemanticMap, ids)

    def encode(self, value: Tensor) -> np.ndarray:
        """Class ids (H, W) as uint8, or uint16 for many classes. Unknown is ``ignore``, or 255 (65535) with a remap."""
        ids = value.as_subclass(Tensor).cpu().numpy()
        highest = max(self._unknown, self.channels - 1)
        return np.where(ids < 0, self._unknown, ids).astype(np.uint8 if highest < 256 else np.uint16)

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return size

    def _check_range(self, ids: np.ndarray) -> None:
        lowest, highest = int(ids.min()), int(ids.max())
        if lowest >= SemanticMap.UNKNOWN and highest < self.channels:
            return
        wrong = highest if highest >= self.channels else lowest
        raise ValueError(
            f"class id {wrong} at {int((ids == wrong).sum())} pixels, but {self.name} has {self.channels} classes "
            f"(0 to {self.channels - 1}, {self.ignore} unknown): correct the file, set ignore: {wrong}, raise the "
            "number of classes, or map ids with remap"
        )


def _table(remap: dict[int, int], count: int) -> np.ndarray:
    wrong = {file_id: index for file_id, index in remap.items() if file_id < 0 or not 0 <= index < count}
    if not remap or wrong:
        found = "nothing" if not remap else ", ".join(f"{key}: {index}" for key, index in wrong.items())
        raise ValueError(f"remap holds {found}: map ids of the files, 0 or more, to classes 0 to {count - 1}")
    return remap_table(remap)
