"""Concordance and error of scalars."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_same_shape


class ScalarsMetric(Metric):
    """Concordance correlation coefficient (CCC) and RMSE, averaged over the components.

    A component with fewer than two known samples, or without any spread on both sides, has no CCC and is left out. A
    row is: prediction of each component, truth of each (NaN unknown).

    >>> metric = ScalarsMetric(["valence"], lambda prediction: prediction)
    >>> metric.update(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [1.0], [2.0]]))
    >>> round(metric.compute()["ccc"], 3)
    1.0

    Args:
        classes: names of the components.
        decide: from raw predictions (B, k) to values.
    """

    protocol = "mean over components, each over the samples where it is known"
    better: ClassVar = {"ccc": 1, "rmse": -1}
    primary = "ccc"
    single = "rmse"
    scale = 1.0
    additive = False

    def __init__(self, classes: Sequence[str], decide: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.classes = list(classes)
        self.decide = decide

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        value = self.decide(prediction)
        require_same_shape(value, target)
        return torch.cat((value, target), 1)

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        value, truth = rows.chunk(2, 1)
        known = ~truth.isnan()
        square = ((value - truth) ** 2).where(known, 0.0).sum(0) / known.sum(0)
        return {"ccc": self._ccc(rows).nanmean().item(), "rmse": square.sqrt().nanmean().item()}

    @override
    def known(self, rows: Tensor) -> int:
        return int((~rows.chunk(2, 1)[1].isnan()).sum()) if rows.numel() else 0

    def per_class(self) -> dict[str, float]:
        """CCC of each component; NaN where it has none."""
        rows = self.all_rows()
        ccc = self._ccc(rows) if rows.numel() else torch.full((len(self.classes),), math.nan)
        return dict(zip(self.classes, ccc.tolist(), strict=True))

    @staticmethod
    def _ccc(rows: Tensor) -> Tensor:
        value, truth = rows.chunk(2, 1)
        weight = (~truth.isnan()).double()
        ccc = concordance(value.where(weight > 0, 0.0), truth.nan_to_num(0), weight, floor=0.0)
        return ccc.where(weight.sum(0) > 1, math.nan)


def concordance(value: Tensor, truth: Tensor, weight: Tensor, floor: float) -> Tensor:
    """Lin's concordance correlation coefficient of each column of (N, k): 2 cov / (var + var + (mean - mean)²).

    Args:
        value: predictions, finite everywhere.
        truth: targets, finite everywhere.
        weight: weights, 0 where unknown.
        floor: added to the denominator.
    """
    weight = weight / weight.sum(0).where(weight.sum(0) > 0, 1.0)
    value_mean, truth_mean = (weight * value).sum(0), (weight * truth).sum(0)
    value_rest, truth_rest = value - value_mean, truth - truth_mean
    covariance = (weight * value_rest * truth_rest).sum(0)
    spread = (weight * (value_rest**2 + truth_rest**2)).sum(0) + (value_mean - truth_mean) ** 2
    return 2 * covariance / (spread + floor)
