"""Accuracy of one category per image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_indices


class CategoryMetric(Metric):
    """Accuracy, mean recall of the categories (balanced accuracy) and macro F1, in percent.

    Balanced accuracy is over the categories that occur in the labels; F1 over those that occur in labels or
    predictions. A row is: predicted index, true index (-1 unknown).

    >>> metric = CategoryMetric(["kitchen", "bedroom"])
    >>> metric.update(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, -1]))  # the second is unknown
    >>> metric.compute()["accuracy"]
    100.0

    Args:
        classes: names of the categories.
    """

    protocol = "% of the labelled samples; means over categories that occur"
    better: ClassVar = {"accuracy": 1, "balanced_accuracy": 1, "f1": 1}
    primary = "accuracy"
    scale = 100.0
    additive = False

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = list(classes)

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        require_indices(prediction, target, len(self.classes))
        return torch.stack((prediction.max(1).indices, target), 1)

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        matrix = self._matrix(rows)
        if not matrix.sum():
            return dict.fromkeys(self.better, math.nan)
        hits, labelled, chosen = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        return {
            "accuracy": 100 * (hits.sum() / matrix.sum()).item(),
            "balanced_accuracy": 100 * (hits / labelled).nanmean().item(),
            "f1": 100 * (2 * hits / (labelled + chosen)).nanmean().item(),
        }

    @override
    def known(self, rows: Tensor) -> int:
        return int((rows[:, 1] >= 0).sum()) if rows.numel() else 0

    def per_class(self) -> dict[str, float]:
        """Recall of each category in percent; NaN for one without labels."""
        matrix = self.confusion()
        return dict(zip(self.classes, (100 * matrix.diagonal() / matrix.sum(1)).tolist(), strict=True))

    @override
    def alone(self) -> str:
        there = [name for name, count in zip(self.classes, self.confusion().sum(1).tolist(), strict=True) if count]
        return there[0] if len(there) == 1 < len(self.classes) else ""

    def confusion(self) -> Tensor:
        """Samples by label and prediction so far, (C, C)."""
        return self._matrix(self.all_rows())

    def _matrix(self, rows: Tensor) -> Tensor:
        count = len(self.classes)
        chosen, true = rows.reshape(-1, 2).long().T
        cell = (true * count + chosen)[true >= 0]
        return torch.bincount(cell, minlength=count**2).reshape(count, count).double()
