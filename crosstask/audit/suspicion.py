"""From clues to one number per label: how improbable it would be for a right label of its task.

Each clue is set against the same clue of all labels of the task. Most labels are right, so the median and the 70th and
85th percentiles describe right labels, even where a tenth is wrong. With u = (x - median) / (70th percentile - median),
a right label exceeds x with the probability

    -ln 2p = a u^k             through both percentiles; k between 0.4 (heavy tails) and 2 (a Gaussian's)

- *loss*: of x = loss over its mean less what doubt leads to expect (the regression of
  :mod:`crosstask.suggest.calibration`, on the audited labels), so that hard images are not suspicious for being hard;
- *gains*: only those above 0 speak against a label; it is 0 otherwise;
- *scale*: z² / 2 with z the deviation from the median in robust standard deviations (1.4826 MAD): a network that errs
  by a constant factor accuses nobody;
- *disagreement* and *duplicate*: x as it is.

The suspicion is the largest -ln 2p of all clues: 4 is passed by about one right label in a hundred, for each clue,
and by fewer where many are wrong.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from crosstask.audit.evidence import LOSS, SCALE
from crosstask.audit.kinds import DISAGREEMENT, DUPLICATE
from crosstask.audit.look import Examined
from crosstask.suggest.calibration import calibrate

LOW, HIGH = 0.7, 0.85
LEAST, MOST = 0.4, 2.0
"""Bounds of the exponent."""
_TINY = 1e-9


class Suspicion(NamedTuple):
    """How suspicious the labels of one task are.

    Attributes:
        score: (N,), NaN without a label.
        reason: (N,) names of the clue that says most.
        clues: -ln 2p by name, (N,).
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
    clues = {}
    for name in examined.clues[task]:
        values = examined.clue(task, name)
        if name == LOSS:
            clues[name] = improbable(outlying(examined.doubts(task), values))
        elif name == SCALE:
            clues[name] = gaussian(values)
        else:
            clues[name] = np.where(values > 0, improbable(values), 0.0)
    clues[DISAGREEMENT] = improbable(examined.disagreement(task))
    if duplicate is not None:
        clues[DUPLICATE] = improbable(duplicate)
    table = np.nan_to_num(np.stack(list(clues.values())))
    best = table.argmax(0)
    return Suspicion(np.where(np.isfinite(loss), table.max(0), np.nan), np.array(list(clues))[best], clues)


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


def improbable(values: np.ndarray) -> np.ndarray:
    """-ln 2p, with p the probability that a right label exceeds a value, by the tail through two percentiles."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    middle, low, high = np.quantile(known, [0.5, LOW, HIGH])
    if low - middle < _TINY:  # most are alike
        spread = known.std()
        low, high = (middle + spread * each for each in (0.524, 1.036)) if spread > _TINY else (middle + 1, middle + 2)
    at_low, at_high = -math.log(2 - 2 * LOW), -math.log(2 - 2 * HIGH)
    power = math.log(at_high / at_low) / max(math.log(max((high - middle) / (low - middle), 1 + _TINY)), _TINY)
    above = np.maximum(values - middle, 0) / (low - middle)
    return at_low * above ** min(max(power, LEAST), MOST)


def gaussian(values: np.ndarray) -> np.ndarray:
    """Half the squared robust deviation from the median; NaN stays."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    return ((values - middle) / max(spread, 1e-3)) ** 2 / 2
