"""From doubts to expected errors: a regression on images whose error is known.

Doubts of different kinds have different units, and an error of depth cannot be set against one of classes. So the
errors of a task on labelled images that were not trained on are divided by their mean, and regressed on the doubts. An
expected error of 2 then means, for any task, twice what the task errs on average.

The regression is ridge regression on standardised doubts, with the strength of the penalty chosen by the error of
leaving one image out (which for ridge regression needs no refitting: Golub, Heath and Wahba, 1979). An infinite penalty
is among the choices: where doubts say nothing of errors every expected error is 1, and ``explained`` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 8
"""Labelled images without which nothing is fitted."""
LEAST, MOST = 0.1, 10.0
"""Expected errors are kept between these multiples of the mean."""
PENALTIES = (*np.logspace(-2, 4, 19).tolist(), np.inf)


@dataclass(frozen=True)
class Calibration:
    """How expected errors follow from doubts.

    Attributes:
        images: how many images it was fitted to; 0 where there were too few, and doubts stand for errors as they are.
        mean_error: mean error of these, in the unit of the task's loss.
        explained: share of the variance of the errors explained, each by the others (leave one out), at least 0.
        centre: mean of each doubt, (k,).
        spread: its standard deviation.
        weights: of the standardised doubts.
    """

    images: int
    mean_error: float
    explained: float
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray

    def expected(self, doubts: np.ndarray) -> np.ndarray:
        """Expected errors (N,) of doubts (N, k), relative to the mean error of the task."""
        if not self.images:
            first = doubts[:, 0].astype(np.float64)
            mean = first.mean() if len(first) else 0.0
            return np.clip(first / mean, LEAST, MOST) if mean > 0 else np.ones(len(doubts))
        return np.clip(1 + ((doubts - self.centre) / self.spread) @ self.weights, LEAST, MOST)


def calibrate(doubts: np.ndarray, errors: np.ndarray) -> Calibration:
    """Fit to images with known errors.

    Args:
        doubts: (N, k).
        errors: (N,), NaN where unknown.
    """
    known = np.isfinite(errors)
    x, y = doubts[known].astype(np.float64), errors[known].astype(np.float64)
    width = doubts.shape[1]
    mean = float(y.mean()) if len(y) else float("nan")
    if len(y) < FEWEST or not mean > 0:
        return Calibration(0, mean, 0.0, np.zeros(width), np.ones(width), np.zeros(width))
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    x, y = (x - centre) / spread, y / mean - 1
    left, values, right = np.linalg.svd(x, full_matrices=False)
    errors_by_penalty = {penalty: _left_out(left, values, y, penalty) for penalty in PENALTIES}
    best = min(errors_by_penalty, key=errors_by_penalty.__getitem__)
    weights = right.T @ (_shrinkage(values, best) * np.divide(left.T @ y, values, where=values > 1e-12, out=0 * values))
    total = errors_by_penalty[np.inf]
    explained = 1 - errors_by_penalty[best] / total if total > 0 else 0.0
    return Calibration(len(y), mean, float(explained), centre, spread, weights)


def _shrinkage(values: np.ndarray, penalty: float) -> np.ndarray:
    return np.zeros_like(values) if np.isinf(penalty) else values**2 / (values**2 + penalty)


def _left_out(left: np.ndarray, values: np.ndarray, y: np.ndarray, penalty: float) -> float:
    """The summed squared error of each image predicted from the others; the mean is fitted with them."""
    kept = _shrinkage(values, penalty)
    residual = y - (left * kept) @ (left.T @ y)
    leverage = 1 / len(y) + (left**2 * kept).sum(1)
    return float(((residual / (1 - leverage).clip(min=1e-6)) ** 2).sum())
