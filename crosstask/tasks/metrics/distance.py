"""Errors of depth and of disparity, accumulated over pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_same_shape


class ErrorMetric(Metric):
    """Mean absolute, mean relative and root mean square error over all known pixels of the set.

    A row is: known pixels, sum |e|, sum |e| / g, sum e², with e = p - g.

    >>> metric = ErrorMetric(lambda prediction: prediction)
    >>> metric.update(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[2.0, float("nan")]]]]))
    >>> metric.compute()["abs"]
    1.0

    Args:
        decide: from raw predictions (B, 1, H, W) to values.
    """

    protocol = "over all known pixels of the set"
    better: ClassVar = {"abs": -1, "rel": -1, "rmse": -1}
    primary = "abs"
    scale = 0.1

    def __init__(self, decide: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.decide = decide

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        value, known = self.decide(prediction), ~target.isnan()
        require_same_shape(value, target)
        value, truth = value.where(known, 1.0), target.where(known, 1.0)
        error = (value - truth).abs()
        sums = [known.float(), error, error / truth, error**2, *self.ratios(value, truth, known)]
        return torch.stack([each.flatten(1).sum(1) for each in sums], 1)

    def ratios(self, value: Tensor, truth: Tensor, known: Tensor) -> list[Tensor]:
        """Further maps to be summed into a row; 0 where unknown."""
        return []

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        count, absolute, relative, square = rows.sum(0)[:4].tolist()
        if not count:
            return dict.fromkeys(self.better, math.nan)
        return {"abs": absolute / count, "rel": relative / count, "rmse": math.sqrt(square / count)}

    @override
    def known(self, rows: Tensor) -> int:
        return int(rows[:, 0].sum())


class DepthMetric(ErrorMetric):
    """Depth errors in metres, RMSE of log depth, and the share of pixels with max(p/g, g/p) < 1.25, 1.25², 1.25³.

    The prediction is clamped to a small positive depth first: a ratio with a negative depth means nothing. With a
    ``cap`` labels beyond it are left out, and predictions clamped to it.

    Args:
        decide: from raw predictions (B, 1, H, W) to metres.
        cap: largest depth that is measured, metres; None for all.

    >>> metric = DepthMetric(lambda prediction: prediction)
    >>> metric.update(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[2.0, 3.0]]]]))
    >>> numbers = metric.compute()
    >>> numbers["abs"], numbers["delta1"]
    (0.5, 50.0)
    """

    protocol = "over all known pixels of the set; abs, rmse in m; delta in %; predictions clamped at 1 mm"
    better: ClassVar = {"abs": -1, "rel": -1, "rmse": -1, "log_rmse": -1, "delta1": 1, "delta2": 1, "delta3": 1}
    cap: float | None = None

    def __init__(self, decide: Callable[[Tensor], Tensor], cap: float | None = None) -> None:
        if cap is None:
            super().__init__(decide)
            return
        super().__init__(lambda prediction: decide(prediction).clamp(max=cap))
        self.cap = cap
        self.protocol = f"{self.protocol}; labels up to {cap:g} m, predictions clamped there"  # type: ignore[misc]

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        target = target.as_subclass(Tensor)
        return super().statistics(
            prediction, target if self.cap is None else target.where(target <= self.cap, torch.nan)
        )

    @override
    def ratios(self, value: Tensor, truth: Tensor, known: Tensor) -> list[Tensor]:
        ratio = torch.maximum(value / truth, truth / value)
        return [ratio.log() ** 2, *((known & (ratio < 1.25**power)).float() for power in (1, 2, 3))]

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        count, *_, log_square, first, second, third = rows.sum(0).tolist()
        if not count:
            return dict.fromkeys(self.better, math.nan)
        deltas = {f"delta{power}": 100 * hits / count for power, hits in enumerate((first, second, third), 1)}
        return super().summary(rows) | {"log_rmse": math.sqrt(log_square / count)} | deltas
