r"""The numbers of a comparison, each of a few lines of arithmetic.

All sequences are over seeds. Differences are *paired*: a seed gives every method the same labels, initial weights,
order and augmentation, so what the seed itself is worth cancels.

Which interval. With n seeds a *paired t* interval is ``mean +- t(n - 1) sd / sqrt(n)``. It assumes roughly normal
differences and then covers what it says for any n >= 2: t is 4.3 for three seeds, 2.8 for five, 2.0 for many. The
*percentile bootstrap* over seeds assumes nothing, but needs many: for three seeds its 95 % interval is nearly the range
of the three differences, and differences of pure noise all have one sign in one case of four. So verdicts rest on the t
interval, and the bootstrap interval stands beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
_PICKS = 2**20
"""Values drawn at once by the bootstrap, about: its memory does not grow with the number of images."""


class Interval(NamedTuple):
    """From where to where; NaN where nothing can be said."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether all of it is on one side of zero."""
        return self.low > 0 or self.high < 0


NO_INTERVAL = Interval(math.nan, math.nan)


def mean(values: Sequence[float]) -> float:
    """The mean; NaN for no value."""
    return statistics.fmean(values) if values else math.nan


def deviation(values: Sequence[float]) -> float:
    """The standard deviation with n - 1 in its denominator; NaN for fewer than two values, or where one is."""
    known = len(values) > 1 and not any(map(math.isnan, values))
    return statistics.stdev(values) if known else math.nan


def t_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Interval for the mean by Student's t; NaN for fewer than two values."""
    if len(values) < 2:
        return NO_INTERVAL
    half = _t(len(values), level) * deviation(values) / math.sqrt(len(values))
    return Interval(mean(values) - half, mean(values) + half)


def p_value(values: Sequence[float]) -> float:
    """Two-sided p of Student's t test that the mean is 0; NaN for fewer than two values, or where one is.

    >>> round(p_value([1.0, 2.0, 3.0]), 4)
    0.0742
    """
    spread = deviation(values) / math.sqrt(max(len(values), 1))
    if not spread > 0:
        return math.nan if math.isnan(spread) else float(mean(values) == 0)
    return 2 * float(stdtr(len(values) - 1, -abs(mean(values)) / spread))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down method (Scandinavian Journal of Statistics 1979): where
    those below 0.05 are called shown, one is wrong in 5 % of such families at most, whatever they have in common.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, math.nan])]
    [0.03, 0.06, 0.06, nan]
    """
    corrected = list(p_values)
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[index] = highest
    return corrected


def bootstrap_interval(
    values: Sequence[float], level: float = LEVEL, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval for the mean; NaN for fewer than two values."""
    if len(values) < 2:
        return NO_INTERVAL
    rng, known = np.random.default_rng(seed), np.asarray(values)
    at_once = max(_PICKS // len(values), 1)
    means = [
        known[rng.integers(len(values), size=(min(at_once, resamples - start), len(values)))].mean(1)
        for start in range(0, resamples, at_once)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def relative_gain(scores: Mapping[str, float], baseline: Mapping[str, float], better: Mapping[str, int]) -> float:
    r"""Delta, the mean relative gain over tasks, in percent; more is better.

    .. math:: \Delta = \frac{100}{T} \sum_t s_t \frac{m_t - b_t}{|b_t|}

    with m_t the primary metric of task t, b_t that of the baseline, s_t = +1 where more is better and -1 where less is
    (Maninis et al., CVPR 2019, eq. 4, there as a drop). Tasks that nobody could measure are left out; NaN if all are,
    or if a baseline is 0.
    """
    tasks = [task for task in scores if not math.isnan(scores[task]) and not math.isnan(baseline.get(task, math.nan))]
    if not tasks or any(baseline[task] == 0 for task in tasks):
        return math.nan
    return 100 * mean([better[task] * (scores[task] - baseline[task]) / abs(baseline[task]) for task in tasks])


class Recovered(NamedTuple):
    """Which fraction of a gap was closed, and its interval; NaN where there is no gap to speak of."""

    fraction: float
    interval: Interval


def recovered(gains: Sequence[float], gaps: Sequence[float], level: float = LEVEL) -> Recovered:
    """The fraction of the gap between partial and full labels that a method closes: mean gain / mean gap.

    The interval is Fieller's: all fractions r for which the t interval of ``gain - r gap`` holds 0. It is bounded just
    where the t interval of the gap excludes 0; elsewhere (and for fewer than two seeds) there is no gap that is known
    to be one, and no fraction of it.

    Args:
        gains: per seed, method - baseline, both with partial labels.
        gaps: per seed, baseline with full labels - baseline with partial labels.
        level: level of the interval.
    """
    if not t_interval(gaps, level).excludes_zero:
        return Recovered(math.nan, NO_INTERVAL)
    (gain_variance, covariance), (_, gap_variance) = np.cov(gains, gaps)
    factor = _t(len(gaps), level) ** 2 / len(gaps)
    # a r^2 - 2 b r + c <= 0, from (mean gain - r mean gap)^2 <= factor * variance(gain - r gap)
    a = mean(gaps) ** 2 - factor * gap_variance
    b = mean(gains) * mean(gaps) - factor * covariance
    c = mean(gains) ** 2 - factor * gain_variance
    root = math.sqrt(max(b * b - a * c, 0.0))
    return Recovered(mean(gains) / mean(gaps), Interval(float((b - root) / a), float((b + root) / a)))


def verdict(interval: Interval, better: int) -> str:
    """``better`` or ``worse`` where the interval of a difference excludes 0, else ``not shown``.

    Args:
        interval: of method - baseline.
        better: +1 where more is better, -1 where less is, 0 where the number is only information.
    """
    if not interval.excludes_zero or not better:
        return "not shown"
    return "better" if (interval.low > 0) == (better > 0) else "worse"


def _t(count: int, level: float) -> float:
    return float(stdtrit(count - 1, (1 + level) / 2))
