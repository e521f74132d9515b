"""Metrics that remember each image, so that a number comes with its uncertainty.

A metric turns each image into a row of statistics. Where the rows are *additive* (a confusion matrix, a sum of
errors, a histogram) the number over a set is a function of their sum: pixels are accumulated over the set, not averaged
per image. Because rows are kept, a bootstrap over images needs no second pass.
"""

from __future__ import annotations

import abc
import math
from typing import ClassVar, Literal

import torch
from torch import Tensor


class Metric(abc.ABC):
    """Base of all task metrics. Over ranks, the rows are gathered before anything is computed.

    >>> from crosstask.metrics import SegmentationMetric
    >>> metric = SegmentationMetric(["wall", "floor"])
    >>> metric.update(torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4), torch.tensor([[[0, 0, 1, -1]]]))
    >>> metric.primary, round(metric.compute()["pixel_accuracy"], 1)
    ('miou', 66.7)

    Attributes:
        protocol: how the numbers are measured, in a few words; printed beside each of them.
        better: for each number, +1 where more is better, -1 where less is better, 0 where it is only information.
        primary: the number used to select a model and to compare methods.
        single: the number that says how good one image alone is; the primary one where this is empty.
        scale: what a large difference of the primary number is, in its unit: 100 of percentages. Gains are relative
            to it where the number they are compared with is smaller.
        additive: whether the number over a set depends on the sum of the rows alone.
    """

    protocol: ClassVar[str]
    better: ClassVar[dict[str, Literal[-1, 0, 1]]]
    primary: ClassVar[str]
    single: ClassVar[str] = ""
    scale: ClassVar[float]
    additive: ClassVar[bool] = True

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    @abc.abstractmethod
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One row per image, (B, S) float64. An image without any known entry has a row that counts nothing."""

    @abc.abstractmethod
    def summary(self, rows: Tensor) -> dict[str, float]:
        """The numbers for ``rows`` (N, S), or for their sum (1, S) where the metric is additive.

        A number nobody could measure is NaN here and "n/a" wherever it is shown or averaged.
        """

    @abc.abstractmethod
    def known(self, rows: Tensor) -> int:
        """How many entries (pixels, samples, cells) the rows measured."""

    def per_class(self) -> dict[str, float]:
        """The number of each class over all images so far (IoU, say), NaN for an absent one; empty without classes."""
        return {}

    def absent(self) -> list[str]:
        """The classes that could not be measured and are left out of the means."""
        return [name for name, value in self.per_class().items() if math.isnan(value)]

    def alone(self) -> str:
        """The only class or state the labels so far hold, which makes a perfect score easy; empty for several."""
        return ""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: raw ``prediction`` (B, C, ...) and ``target`` in the format of the task's targets, (B, ...).

        Raises:
            ValueError: they do not lie entry by entry on each other, or there is no such class.
        """
        self.rows.append(self.statistics(prediction.detach().float(), target).double().cpu())

    def all_rows(self) -> Tensor:
        """The rows of all images so far, (N, S); (0, 0) where there is none."""
        return torch.cat(self.rows) if self.rows else torch.zeros(0, 0, dtype=torch.float64)

    def compute(self) -> dict[str, float]:
        """The numbers over all images."""
        rows = self.all_rows()
        if not len(rows):
            return {name: float("nan") for name in self.better}
        return self.summary(rows.sum(0, keepdim=True) if self.additive else rows)

    def of_image(self, row: Tensor) -> float:
        """How good the image of a row (1, S) alone is, by the number ``single``."""
        return self.summary(row)[self.single or self.primary]

    def intervals(self, resamples: int = 200, seed: int = 0, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Percentile bootstrap intervals over images, per number: (low, high); NaN of fewer than two images."""
        rows = self.all_rows()
        if len(rows) < 2:
            return {name: (float("nan"), float("nan")) for name in self.better}
        picks = torch.randint(len(rows), (resamples, len(rows)), generator=torch.Generator().manual_seed(seed))
        if self.additive:
            weights = torch.zeros(resamples, len(rows), dtype=torch.float64)
            weights.scatter_add_(1, picks, torch.ones_like(weights))
            samples = [self.summary(total[None]) for total in weights @ rows]
        else:
            samples = [self.summary(rows[pick]) for pick in picks]
        edges = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
        out = {}
        for name in self.better:
            values = torch.tensor([sample.get(name, float("nan")) for sample in samples], dtype=torch.float64)
            low, high = torch.nanquantile(values, edges).tolist()
            out[name] = (low, high)
        return out


def require_same_shape(value: Tensor, target: Tensor) -> None:
    """Values and targets of one shape: broadcast, an entry would be measured several times.

    Raises:
        ValueError: the shapes differ.
    """
    if value.shape != target.shape:
        shapes = f"predictions {tuple(value.shape)} and targets {tuple(target.shape)}"
        raise ValueError(f"{shapes} differ in shape: give both as (B, C, ...), C of a single map is 1: target[:, None]")


def require_indices(prediction: Tensor, target: Tensor, count: int) -> None:
    """Scores (B, C, ...) and ids (B, ...) of ``count`` classes: another id would be counted elsewhere.

    Raises:
        ValueError: the shapes do not fit, or an id is not of a class.
    """
    if prediction.shape != (*target.shape[:1], count, *target.shape[1:]):
        shapes = f"predictions {tuple(prediction.shape)} do not fit targets {tuple(target.shape)}"
        raise ValueError(f"{shapes}: give scores (B, {count}, ...) of {count} classes and ids (B, ...)")
    if target.numel() and (largest := int(target.max())) >= count:
        raise ValueError(f"targets hold the id {largest}, classes have 0 to {count - 1}: write -1 where it is unknown")
