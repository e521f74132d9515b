"""How much several opinions on one image leave open, entry by entry: what a label would settle.

The opinions are those of :mod:`crosstask.tasks.fusion`, values (V, C, ...) of
:meth:`~crosstask.tasks.base.Task.activate`, one per view. Each function returns named measures, the first of which is
*the* uncertainty of its kind; all grow with doubt.

- classes: the entropy of the mean probabilities over its largest value, ln C, and the mutual information between the
  class and the view, that entropy less the mean entropy of the views (BALD: Houlsby et al., 2011, eq. 2);
- probabilities: likewise, of each presence, over ln 2;
- lengths: the standard deviation of the logarithms; 1, a factor of e, where one of them is not positive;
- directions: one less the length of the mean vector;
- numbers: the standard deviation, over a scale.

A single view has no spread: its measures of spread are 0, where it can be right.
"""

from __future__ import annotations

import math

from torch import Tensor

ENTROPY, INFORMATION = "entropy", "mutual_information"
DEVIATION, DIVERGENCE = "deviation", "divergence"

Measures = dict[str, Tensor]


def classes(views: Tensor) -> Measures:
    """Probabilities (V, C, ...) to measures (...) in [0, 1].

    >>> import torch
    >>> views = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # two views that are sure of different classes
    >>> {name: round(float(value), 3) for name, value in classes(views).items()}
    {'entropy': 1.0, 'mutual_information': 1.0}
    """
    most = math.log(max(views.shape[1], 2))
    mean = _entropy(views.mean(0, keepdim=True), 1)[0] / most
    return {ENTROPY: mean, INFORMATION: (mean - _entropy(views, 1).mean(0) / most).clamp(min=0)}


def shares(views: Tensor) -> Measures:
    """Independent probabilities (V, ...) to measures (...) in [0, 1]."""

    def binary(probabilities: Tensor) -> Tensor:
        return (_part(probabilities) + _part(1 - probabilities)) / math.log(2)

    mean = binary(views.mean(0))
    return {ENTROPY: mean, INFORMATION: (mean - binary(views).mean(0)).clamp(min=0)}


def lengths(views: Tensor) -> Measures:
    """Positive quantities (V, ...) to the standard deviation of their logarithms (...)."""
    return {DEVIATION: views.log().std(0, correction=0).masked_fill((views <= 0).any(0), 1.0)}


def directions(views: Tensor) -> Measures:
    """Unit vectors (V, 3, ...) to one less the length of their mean (...), in [0, 1]."""
    return {DIVERGENCE: (1 - (views.mean(0) ** 2).sum(0).sqrt()).clamp(min=0)}


def numbers(views: Tensor, scale: Tensor | float = 1.0) -> Measures:
    """Numbers (V, ...) to their standard deviation over a scale (...)."""
    return {DEVIATION: views.std(0, correction=0) / scale}


def _entropy(probabilities: Tensor, axis: int) -> Tensor:
    return _part(probabilities).sum(axis)


def _part(probabilities: Tensor) -> Tensor:
    return -(probabilities * probabilities.clamp(min=1e-12).log())
