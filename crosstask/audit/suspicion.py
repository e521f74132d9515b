"""From the numbers of a label to how suspicious it is, learnt from labels that were spoilt on purpose.

Most labels are right. So the numbers of labels as they are show how right ones look, and those of the same labels after
each fault of :mod:`crosstask.audit.faults` how wrong ones do: by this network, on these images. A multinomial logistic
regression tells them apart. Its inputs are, of each number, t = asinh((x - median) / robust standard deviation) and
|t|; its classes are *right* and each fault, of equal weight. How frequent each class is among the labels as they are
is then estimated from what the regression says of them (expectation-maximisation: Saerens, Latinne and Decaestecker,
Neural Computation 2002), beside the prior that one label in ten is wrong, by each fault as often, which counts as much
as :data:`WEIGHT` labels: a fault that these labels do not have, frequent as it may look, casts no doubt on right ones.
The suspicion is

    ln (1 - P(right)) / P(right)

and the reason is the likeliest fault. Each label is judged by a regression that it took no part in (:data:`GROUPS`
groups). A second regression leaves out of the right ones those that the first, by the prior alone, suspects.

A near-duplicate with another label is apart from that (few labels have one): it counts -ln 2p, with p the probability
that two right labels of near-duplicates are as far apart, by the tail through the median and two percentiles of all of
them, less the same prior.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from crosstask.audit.evidence import LOSS
from crosstask.audit.kinds import DUPLICATE
from crosstask.audit.look import DOUBTS, Examined

PRIOR = 0.1
"""The share of wrong labels that is expected."""
WEIGHT = 50
"""How many labels this expectation counts as beside the labels themselves."""
GROUPS = 5
FEWEST = 10
"""Spoilt labels without which nothing is learnt; labels are ranked by their loss."""
TEACHERS = 10_000
"""Labels as they are that teach what right ones look like, about, at most."""
LOW, HIGH = 0.7, 0.85
LEAST, MOST = 0.4, 2.0
ROUNDS = 100
"""Of expectation-maximisation."""
_PENALTY = 1e-3
_TINY = 1e-9


class Suspicion(NamedTuple):
    """How suspicious the labels of one task are.

    Attributes:
        score: (N,), log-odds, NaN without a label.
        reason: (N,) name of the likeliest fault.
        odds: (N, F), log-odds of each fault against a right label, NaN where nothing is learnt.
    """

    score: np.ndarray
    reason: np.ndarray
    odds: np.ndarray


def suspicion(examined: Examined, task: int, duplicate: np.ndarray | None = None) -> Suspicion:
    """The suspicion of the labels of a task.

    Args:
        examined: the numbers.
        task: index of the task.
        duplicate: how far each label is from that of its near-duplicate, (N,), NaN where it has none.
    """
    names = examined.faults[task]
    labelled = np.isfinite(examined.clue(task, LOSS))
    score, place = np.full(len(labelled), np.nan), np.zeros(len(labelled), int)
    odds = np.full((len(labelled), len(names)), np.nan)
    readings = examined.readings(task)[labelled]
    if np.isfinite(readings[:, 1:]).any((1, 2)).sum() >= FEWEST:
        logarithm = judged(readings)
        score[labelled] = np.logaddexp.reduce(logarithm[:, 1:], 1) - logarithm[:, 0]
        place[labelled] = logarithm[:, 1:].argmax(1)
        odds[labelled] = logarithm[:, 1:] - logarithm[:, :1]
    elif len(readings):
        score[labelled] = Usual(readings[:, 0])(readings[:, 0])[:, DOUBTS + examined.clues[task].index(LOSS)]
    reason = np.array(names)[place].astype(object)
    if duplicate is not None:
        other = improbable(duplicate) + math.log(PRIOR / (1 - PRIOR))
        worse = np.isfinite(other) & labelled & (other > score)
        score[worse], reason[worse] = other[worse], DUPLICATE
    return Suspicion(score, reason, odds)


def judged(readings: np.ndarray) -> np.ndarray:
    """The logarithm of how probable it is that each label is right, or has each fault, (N, 1 + F).

    Args:
        readings: (N, 1 + F, K), of each label as it is and with each fault; all NaN where it was not spoilt so.
    """
    usual = Usual(readings[:, 0])
    own = _inputs(usual(readings[:, 0]))
    there = torch.from_numpy(np.isfinite(readings[:, 1:]).any(2))
    sample = there.any(1).nonzero()[:, 0]
    spoilt, there = _inputs(usual(readings[sample.numpy(), 1:])), there[sample]
    group = torch.arange(len(readings)) % GROUPS
    found = torch.zeros(len(readings), readings.shape[1], dtype=torch.float64)
    trusted = torch.ones(len(readings), dtype=torch.bool)
    for rounds in (0, ROUNDS):
        for number in range(GROUPS):
            others = (group[sample] != number) & trusted[sample]
            right = ((group != number) & trusted).nonzero()[:, 0]
            right = right[:: max(len(right) // TEACHERS, 1)]
            rows = torch.cat([own[right], spoilt[others][there[others]]])
            label = torch.cat([torch.zeros_like(right), 1 + there[others].nonzero()[:, 1]])
            weights = _regression(rows, label, readings.shape[1])
            absent = label.bincount(minlength=readings.shape[1]) == 0
            found[group == number] = (own[group == number] @ weights).masked_fill(absent, -math.inf)
        found = _weighed(found, rounds)
        trusted = found[:, 0] > math.log(0.5)
    return found.numpy()


class Usual:
    """How numbers of labels as they are lie, by robust statistics: calling it standardises others, 0 where unknown.

    Args:
        own: (N, K), NaN unknown.
    """

    def __init__(self, own: np.ndarray) -> None:
        own = np.where(np.isfinite(own), own, np.nan)
        known = ~np.isnan(own).all(0)
        there = np.where(known, own, 0.0).astype(np.float64)
        self.middle = np.nanmedian(there, 0)
        robust, plain = 1.4826 * np.nanmedian(np.abs(there - self.middle), 0), np.nanstd(there, 0)
        self.spread = np.where(robust > _TINY, robust, np.where(plain > _TINY, plain, 1.0))

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """(..., K) likewise."""
        return np.nan_to_num((numbers - self.middle) / self.spread, posinf=0, neginf=0)


def _inputs(numbers: np.ndarray) -> Tensor:
    bent = torch.from_numpy(np.arcsinh(numbers))
    return torch.cat([bent, bent.abs(), torch.ones_like(bent[..., :1])], -1)


def _regression(rows: Tensor, label: Tensor, classes: int) -> Tensor:
    """Weights (K, C) of a softmax regression of labels (N,) on rows (N, K), all classes of equal weight."""
    count = label.bincount(minlength=classes).clamp(min=1)
    each = 1 / (count[label] * len(label.unique()))
    weights = torch.zeros(rows.shape[1], classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = (torch.nn.functional.cross_entropy(rows @ weights, label, reduction="none") * each).sum()
        loss = loss + _PENALTY * weights[:-1].square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    return weights.detach()


def _weighed(logits: Tensor, rounds: int) -> Tensor:
    """Log-probabilities (N, C) from those of classes of equal weight, with the frequencies that explain them best,
    after so many rounds of expectation-maximisation. Right comes first; faults without an example (-inf) cannot be."""
    there = logits.isfinite().any(0)
    expected = PRIOR / there[1:].sum().clamp(min=1) * there
    expected[0] = 1 - PRIOR
    prior, logits = expected, logits.log_softmax(1)
    for _ in range(rounds):
        found = (logits + prior.log()).softmax(1)
        prior = (found.sum(0) + WEIGHT * expected) / (len(found) + WEIGHT)
    return (logits + prior.log()).log_softmax(1)


def improbable(values: np.ndarray) -> np.ndarray:
    """-ln 2p, with p the probability that a right label exceeds a value, by the tail through two percentiles.

    With u = (x - median) / (70th percentile - median), -ln 2p = a u^k through the 70th and the 85th percentile; k
    between 0.4 (heavy tails) and 2 (a Gaussian's).
    """
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
