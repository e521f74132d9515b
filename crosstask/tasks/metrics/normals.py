"""Angles between predicted and true surface normals."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_same_shape

_THRESHOLDS = (11.25, 22.5, 30.0)
_BINS = 1800


class NormalsMetric(Metric):
    """Mean and median angle in degrees, and the share of pixels below 11.25, 22.5 and 30 degrees in percent.

    Both sides are normalised and the angle is 2 atan2(|p - g|, |p + g|), exact for small and large angles alike (the
    arc cosine of an unnormalised product measures lengths as much as directions). A prediction of zero length is 90
    degrees off. The median is read from a histogram of 0.1 degree, linear within a bin.

    A row is: known pixels, sum of angles, pixels below each threshold, histogram.

    >>> metric = NormalsMetric()
    >>> up, right = torch.tensor([0.0, 1, 0]).view(1, 3, 1, 1), torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    >>> metric.update(torch.cat([up, right], -1), torch.cat([up, up], -1))
    >>> round(metric.compute()["mean"], 1)
    45.0
    """

    protocol = "angles in degrees between unit vectors over all known pixels of the set; within in %"
    better: ClassVar = {"mean": -1, "median": -1, "within_11.25": 1, "within_22.5": 1, "within_30": 1}
    primary = "mean"
    scale = 30.0

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        require_same_shape(prediction, target)
        known = ~target.isnan().any(1)
        angle = angles(prediction, target.nan_to_num(0)).where(known, 0.0)
        below = [(known & (angle < threshold)).flatten(1).sum(1) for threshold in _THRESHOLDS]
        image = torch.arange(len(angle), device=angle.device)[:, None, None].expand_as(angle)
        bins = (angle[known] * (_BINS / 180)).long().clamp(max=_BINS - 1)
        histogram = torch.bincount(image[known] * _BINS + bins, minlength=len(angle) * _BINS).reshape(len(angle), _BINS)
        sums = torch.stack([known.flatten(1).sum(1), angle.flatten(1).sum(1), *below], 1)
        return torch.cat((sums, histogram), 1)

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        total = rows.sum(0)
        count, angle, *below = total[: 2 + len(_THRESHOLDS)].tolist()
        if not count:
            return dict.fromkeys(self.better, math.nan)
        within = {f"within_{limit:g}": 100 * hits / count for limit, hits in zip(_THRESHOLDS, below, strict=True)}
        return {"mean": angle / count, "median": _median(total[2 + len(_THRESHOLDS) :])} | within

    @override
    def known(self, rows: Tensor) -> int:
        return int(rows[:, 0].sum())


def angles(first: Tensor, second: Tensor) -> Tensor:
    """Angles in degrees between the vectors of two maps (B, 3, H, W), whatever their lengths: (B, H, W)."""
    first, second = (vectors / _length(vectors).clamp(min=1e-12)[:, None] for vectors in (first, second))
    across, along = _length(first - second), _length(first + second)
    return (2 * torch.atan2(across, along)).rad2deg()


def _length(vectors: Tensor) -> Tensor:
    return (vectors**2).sum(1).sqrt()  # torch.linalg.vector_norm is 100 times slower over this axis


def _median(histogram: Tensor) -> float:
    cumulated = histogram.cumsum(0)
    half = cumulated[-1] / 2
    index = int((cumulated < half).sum())
    before = cumulated[index] - histogram[index]
    return ((index + (half - before) / histogram[index]) * 180 / len(histogram)).item()
