"""From clues to one number per label: how far outside what is usual for its task a label lies.

Each clue is set against the same clue of all labels of the task. Most labels are right, so the median and the 80th
percentile describe right labels, even where a tenth is wrong:

    z = 0.84 (x - median) / (80th percentile - median)          0.84: that distance in standard deviations of a Gaussian

- *loss*: of x = loss over its mean less what doubt leads to expect (the regression of
  :mod:`crosstask.suggest.calibration`, on the audited labels), so that hard images are not suspicious for being hard;
- *gains*: only those above 0 speak against a label; z is 0 otherwise;
- *scale*: x = |s - median s|, the logarithm of a factor: a network that errs by a constant factor accuses nobody;
- *disagreement* and *duplicate*: x as it is.

The suspicion is the largest z of the gains, the scale, the disagreement and the duplicates, at least 0, plus that of
the loss, if it is above 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crosstask.audit.evidence import LOSS, SCALE
from crosstask.audit.kinds import DISAGREEMENT, DUPLICATE
from crosstask.audit.look import Examined
from crosstask.suggest.calibration import calibrate

SHARE, DEVIATIONS = 0.8, 0.8416
MOST = 20.0
"""No single clue counts more deviations than this."""


class Suspicion(NamedTuple):
    """How suspicious the labels of one task are.

    Attributes:
        score: (N,), NaN without a label.
        reason: (N,) names of the clue that says most; ``loss`` where no other says anything.
        clues: z by name, (N,).
    """

    score: np.ndarray
    reason: np.ndarray
    clues: dict[str, np.ndarray]


def suspicion(examined: Examined, task: int, duplicate: np.ndarray | None = None) -> Suspicion:
    """The suspicion of the labels of a task.

    Args:
        examined: the clues.
        task: index of the task.
        duplicate: how far each label is from that of its near-duplicate, (N,), NaN where it has none.
    """
    loss = examined.clue(task, LOSS)
    known = np.isfinite(loss)
    clues = {}
    for name in examined.clues[task]:
        values = examined.clue(task, name)
        if name == LOSS:
            values = outlying(examined.doubts(task), values)
            clues[name] = deviations(values)
        elif name == SCALE:
            clues[name] = deviations(np.abs(values - _median(values)))
        else:
            clues[name] = np.where(values > 0, deviations(values), 0.0)
    clues[DISAGREEMENT] = deviations(examined.disagreement(task))
    if duplicate is not None:
        clues[DUPLICATE] = deviations(duplicate)
    names = [LOSS, *(name for name in clues if name != LOSS)]
    table = np.stack([np.clip(np.nan_to_num(clues[name]), 0, MOST) for name in names])
    best = table[1:].argmax(0) + 1
    value = np.take_along_axis(table, best[None], 0)[0]
    reason = np.array(names)[np.where(value > 0, best, 0)]
    return Suspicion(np.where(known, value + table[0], np.nan), reason, clues)


def outlying(doubts: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Losses over their mean, less what doubt leads to expect; NaN where unknown."""
    known = np.isfinite(losses)
    out = np.full(len(losses), np.nan)
    mean = losses[known].mean() if known.any() else 0.0
    if mean > 0:
        fitted = calibrate(doubts, np.where(known, np.minimum(losses, 5 * np.median(losses[known])), np.nan))
        expected = fitted.expected(np.nan_to_num(doubts[known])) if fitted.images else 1.0
        out[known] = losses[known] / mean - expected
    return out


def deviations(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations each value lies above the median; NaN stays."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    middle, high = np.median(known), np.quantile(known, SHARE)
    if high - middle < 1e-9:
        spread = known.std()
        high = middle + (spread * DEVIATIONS if spread > 1e-9 else 1.0)
    return DEVIATIONS * (values - middle) / (high - middle)


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0
