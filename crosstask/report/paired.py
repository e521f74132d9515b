"""How two runs differ image by image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crosstask.compare.statistics import NO_INTERVAL, Interval, bootstrap_interval, mean
from crosstask.evaluation.results import TaskResults


@dataclass(frozen=True)
class Paired:
    """The difference of the numbers of single images that two runs were measured on by one metric.

    Attributes:
        mean: the mean over images.
        interval: its bootstrap interval.
        images: how many images there are.
    """

    mean: float
    interval: Interval
    images: int

    @classmethod
    def of(cls, one: TaskResults, other: TaskResults, sign: int = 1) -> Paired:
        """``one - other``, times ``sign``: +1 to keep the metric's own direction."""
        if one.single != other.single:
            return cls(math.nan, NO_INTERVAL, 0)
        apart = [sign * (score - other.scores[name]) for name, score in one.scores.items() if name in other.scores]
        apart = [each for each in apart if not math.isnan(each)]
        return cls(mean(apart), bootstrap_interval(apart), len(apart))
