"""What one task says about another through a table of how their classes are related.

Symbols: B samples, A classes of one task, C attributes of the other (tags, or the classes of a second category);
p(e) the predicted probability of class e; R[e, i] = P(attribute i | class e), (A, C), NaN where it is unknown;
y[i] the label of attribute i, NaN where it is unknown. No unknown entry has any influence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-7
"""Least probability of which a logarithm is taken."""


class Distribution(NamedTuple):
    """Probabilities and their logarithms, (B, C) each.

    >>> bernoulli(torch.zeros(1, 2)).p
    tensor([[0.5000, 0.5000]])

    Attributes:
        p: the probabilities.
        log: log p.
        log_complement: log(1 - p) where every entry is a yes or no of its own; None where the entries of a row are one
            of several, or where the other half of a yes or no is left out.
    """

    p: Tensor
    log: Tensor
    log_complement: Tensor | None


def bernoulli(logits: Tensor) -> Distribution:
    """Independent yes or no.

    >>> bernoulli(torch.zeros(1, 2)).log_complement.exp()
    tensor([[0.5000, 0.5000]])
    """
    return Distribution(logits.sigmoid(), F.logsigmoid(logits), F.logsigmoid(-logits))


def categorical(logits: Tensor) -> Distribution:
    """One of several.

    >>> categorical(torch.zeros(1, 4)).p
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return Distribution(logits.softmax(1), logits.log_softmax(1), None)


def of_probabilities(p: Tensor, complement: bool) -> Distribution:
    """Given probabilities; their logarithms are bounded by ``EPSILON``.

    >>> of_probabilities(torch.tensor([[0.25]]), complement=True).log_complement.exp()
    tensor([[0.7500]])
    """
    return Distribution(p, p.clamp(min=EPSILON).log(), (1 - p).clamp(min=EPSILON).log() if complement else None)


def cross_entropy(target: Distribution, prediction: Distribution) -> Tensor:
    """-[t log p + (1 - t) log(1 - p)] for each entry, without its second half where the prediction has no complement.

    >>> even = bernoulli(torch.zeros(1, 1))
    >>> cross_entropy(even, even)  # ln 2
    tensor([[0.6931]])

    Returns:
        (B, C).
    """
    loss = -target.p * prediction.log
    if prediction.log_complement is not None:
        loss = loss - (1 - target.p) * prediction.log_complement
    return loss


class Mixture(NamedTuple):
    """What the predicted classes say about the attributes, (B, C) each.

    >>> mixture(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0], [float("nan")]])).mass
    tensor([[0.5000]])

    Attributes:
        p: probability of each attribute; 0 where nothing is known.
        mass: how much of the prediction lies on classes for which the attribute is known, in [0, 1].
    """

    p: Tensor
    mass: Tensor


def mixture(p: Tensor, relatedness: Tensor) -> Mixture:
    """q_i = sum_e p(e) R[e, i] / sum_e p(e), over the classes e for which R[e, i] is known.

    >>> relatedness = torch.tensor([[1.0, 0.0], [0.5, 1.0]])  # P(attribute | class)
    >>> mixture(torch.tensor([[0.5, 0.5]]), relatedness).p
    tensor([[0.7500, 0.5000]])

    Args:
        p: (B, A) probabilities of the classes; each row sums to 1.
        relatedness: (A, C), NaN where unknown.
    """
    with torch.autocast(p.device.type, enabled=False):
        relatedness = relatedness.to(p)
        mass = p @ (~relatedness.isnan()).to(p)
        return Mixture(p @ relatedness.nan_to_num(0) / mass.clamp(min=EPSILON), mass)


def indicators(attributes: Tensor, relatedness: Tensor) -> Tensor:
    """I(e) = sum_i R[e, i] y_i / sum_i R[e, i], over the attributes i that are known: how much of what goes with a
    class is there, in [0, 1]. What is there and does not go with the class is not looked at.

    >>> relatedness = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    >>> indicators(torch.tensor([[1.0, 0.0]]), relatedness)  # half of what goes with the first class is there
    tensor([[0.5000, 0.0000]])

    Args:
        attributes: (B, C) labels or probabilities, NaN where unknown.
        relatedness: (A, C), NaN where unknown.

    Returns:
        (B, A); NaN for a class to which no known attribute is related.
    """
    with torch.autocast(attributes.device.type, enabled=False):
        related = relatedness.to(attributes).nan_to_num(0).T
        return (attributes.nan_to_num(0) @ related) / ((~attributes.isnan()).to(related) @ related)


def log_likelihoods(attributes: Tensor, relatedness: Tensor, complement: bool = True, least: float = 0.01) -> Tensor:
    """log P(y | e) = sum_i y_i log R[e, i] + (1 - y_i) log(1 - R[e, i]), over the attributes i that are known.

    What is there and does not go with a class counts against it. A cell that is unknown counts as the mean of its
    column, so that a class is neither preferred nor passed over for it.

    >>> relatedness = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    >>> log_likelihoods(torch.tensor([[1.0, 0.0]]), relatedness).argmax(1)
    tensor([0])

    Args:
        attributes: (B, C) labels or probabilities, NaN where unknown.
        relatedness: (A, C), NaN where unknown.
        complement: with the second half: attributes are independent; without: they are one of several.
        least: R is kept this far from 0 and 1.

    Returns:
        (B, A); NaN in the rows in which no attribute is known.
    """
    with torch.autocast(attributes.device.type, enabled=False):
        cells = relatedness.to(attributes)
        cells = cells.where(~cells.isnan(), cells.nanmean(0)).nan_to_num(0.5).clamp(least, 1 - least)
        known = ~attributes.isnan()
        present = attributes.nan_to_num(0)
        scores = present @ cells.log().T
        if complement:
            scores = scores + (known.to(present) - present) @ (1 - cells).log().T
        return scores.where(known.any(1, keepdim=True), torch.nan)


Score = Callable[[Tensor, Tensor, bool], Tensor]
"""Scores (B, A) of classes from attributes (B, C), a table (A, C), and whether the attributes are independent."""

SCORES: dict[str, Score] = {
    "indicator": lambda attributes, relatedness, independent: indicators(attributes, relatedness),
    "likelihood": log_likelihoods,
}


def complete_class(attributes: Tensor, relatedness: Tensor) -> Tensor:
    """The class all of whose related attributes (R > 0) are present; of several the one with the most.

    >>> relatedness = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    >>> complete_class(torch.tensor([[1.0, 1.0]]), relatedness)
    tensor([0])

    Args:
        attributes: (B, C) labels, NaN where unknown.
        relatedness: (A, C), NaN where unknown.

    Returns:
        (B,) int64; -1 where there is no such class.
    """
    related = (relatedness > 0).to(attributes)
    wanted = related.sum(1)
    missing = (attributes.nan_to_num(0) < 0.5).to(attributes) @ related.T
    size = wanted.where(missing == 0, 0.0)
    largest = size.max(1)
    return largest.indices.where(largest.values > 0, -1)
