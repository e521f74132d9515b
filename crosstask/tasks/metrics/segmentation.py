"""mIoU and pixel accuracy from one confusion matrix over the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_indices


class SegmentationMetric(Metric):
    """Mean intersection over union of the classes, and pixel accuracy, in percent.

    A class that is neither in the labels nor in the predictions has no IoU: it is left out of the mean and named by
    :meth:`absent`. A row is the confusion matrix of an image, flattened, [label, prediction].

    >>> metric = SegmentationMetric(["wall", "floor", "chair"])
    >>> logits = torch.eye(3)[torch.tensor([[[0, 0, 1, 1]]])].permute(0, 3, 1, 2)
    >>> metric.update(logits, torch.tensor([[[0, 0, 0, -1]]]))
    >>> round(metric.per_class()["wall"], 1), metric.absent()
    (66.7, ['chair'])

    Args:
        classes: names of the classes.
    """

    protocol = "% over all known pixels of the set"
    better: ClassVar = {"miou": 1, "pixel_accuracy": 1}
    primary = "miou"
    scale = 100.0

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = list(classes)

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        count = len(self.classes)
        require_indices(prediction, target, count)
        known = target >= 0
        image = torch.arange(len(target), device=target.device)[:, None, None].expand_as(target)
        cell = (image[known] * count + target[known]) * count + prediction.max(1).indices[known]
        return torch.bincount(cell, minlength=len(target) * count**2).reshape(len(target), count**2)

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        matrix = self._matrix(rows)
        return {
            "miou": 100 * self._iou(matrix).nanmean().item(),
            "pixel_accuracy": 100 * (matrix.diagonal().sum() / matrix.sum()).item(),
        }

    @override
    def known(self, rows: Tensor) -> int:
        return int(rows.sum())

    def per_class(self) -> dict[str, float]:
        """IoU of each class in percent; NaN for an absent one."""
        iou = 100 * self._iou(self._matrix(self.all_rows()))
        return dict(zip(self.classes, iou.tolist(), strict=True))

    @override
    def alone(self) -> str:
        there = [name for name, count in zip(self.classes, self.confusion().sum(1).tolist(), strict=True) if count]
        return there[0] if len(there) == 1 < len(self.classes) else ""

    def confusion(self) -> Tensor:
        """Pixels by label and prediction over the set so far, (C, C)."""
        return self._matrix(self.all_rows())

    def _matrix(self, rows: Tensor) -> Tensor:
        count = len(self.classes)
        return rows.sum(0).reshape(count, count) if rows.numel() else rows.new_zeros(count, count)

    @staticmethod
    def _iou(matrix: Tensor) -> Tensor:
        hits = matrix.diagonal()
        return hits / (matrix.sum(0) + matrix.sum(1) - hits)
