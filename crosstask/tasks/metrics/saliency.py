"""Errors of saliency maps, and how well their thresholds separate figure from ground."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_same_shape

_BINS = 256
_BETA_SQUARED = 0.3


class SaliencyMetric(Metric):
    """MAE, F-measure and IoU of saliency maps.

    F = (1 + b²) P R / (b² P + R) with b² = 0.3; precision and recall count pixels of the whole set, at the threshold
    0.5 (``f``) or at the best of 256 (``max_f``). A label above 0.5 is figure; MAE takes it as it is, soft.

    A row is: known pixels, sum of |error|, histograms of the predictions on figure and on ground.

    >>> metric = SaliencyMetric()
    >>> metric.update(torch.tensor([[[[9.0, -9.0]]]]), torch.tensor([[[[1.0, 0.0]]]]))
    >>> metric.compute()["iou"]
    100.0
    """

    protocol = "over all known pixels of the set; f, max_f, iou in %; b² = 0.3"
    better: ClassVar = {"mae": -1, "f": 1, "max_f": 1, "iou": 1}
    primary = "max_f"
    scale = 100.0

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        require_same_shape(prediction, target)
        known = ~target.isnan()
        value, truth = prediction.sigmoid(), target.nan_to_num(0)
        count = len(value)
        image = torch.arange(count, device=value.device)[:, None, None, None].expand_as(value)
        bins = (value.nan_to_num(0) * _BINS).long().clamp(max=_BINS - 1)
        cell = ((image * 2 + (truth <= 0.5).long()) * _BINS + bins)[known]
        histograms = torch.bincount(cell, minlength=count * 2 * _BINS).reshape(count, 2 * _BINS)
        error = (value - truth).abs().where(known, 0.0)
        sums = torch.stack([known.flatten(1).sum(1), error.flatten(1).sum(1)], 1)
        return torch.cat((sums, histograms), 1)

    @override
    def alone(self) -> str:
        figure, ground = self.all_rows().sum(0)[2:].chunk(2)
        return "" if figure.any() and ground.any() else "figure" if figure.any() else "ground"

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        total = rows.sum(0)
        pixels, error = total[:2].tolist()
        if not pixels:
            return dict.fromkeys(self.better, math.nan)
        figure, ground = total[2:].reshape(2, _BINS).flip(1).cumsum(1).flip(1)  # at or above each threshold
        if not figure[0]:
            return dict.fromkeys(self.better, math.nan) | {"mae": error / pixels}
        precision, recall = figure / (figure + ground).clamp(min=1), figure / figure[0]
        f = (1 + _BETA_SQUARED) * precision * recall / (_BETA_SQUARED * precision + recall).clamp(min=1e-12)
        middle = _BINS // 2
        return {
            "mae": error / pixels,
            "f": 100 * f[middle].item(),
            "max_f": 100 * f.max().item(),
            "iou": 100 * (figure[middle] / (figure[0] + ground[middle])).item(),
        }

    @override
    def known(self, rows: Tensor) -> int:
        return int(rows[:, 0].sum())
