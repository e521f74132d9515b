"""Several opinions on one image made one, with how sure it is: what pseudo-labels and confidence maps are made of.

The opinions are *values* (of :meth:`~crosstask.tasks.base.Task.activate`), one per view: an image seen mirrored, at
another scale, by another network. An opinion may be missing (NaN) in places. The confidence is in [0, 1]:

- classes: the mean probability, and its largest one;
- probabilities (tags, saliency): the mean p, and max(p, 1 - p);
- lengths (depth, disparity): the geometric mean, and 1 / (1 + v / tau^2) with the variance v of the logarithms; a
  disagreement of ``tau`` (10 %) has half the weight of none; unknown where one of them is no such length (0, or -1);
- directions: the mean vector made unit length, and its length before;
- numbers: the mean, and 1 / (1 + v / s^2) with the variance v and a scale s.

A single opinion on a length, a direction or a number is wholly sure: it says nothing of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

TAU = 0.1
"""Standard deviation of a logarithm, or share of a range, at which the confidence is 1/2."""
_FLOOR = 1e-6


class Fused(NamedTuple):
    """What several opinions say together.

    Attributes:
        value: of one image, in the format of a target; unknown where no opinion says anything.
        confidence: in [0, 1], in the shape of the known mask of ``value``; 0 where unknown.
    """

    value: Tensor
    confidence: Tensor


def classes(views: Tensor) -> Fused:
    """Probabilities (V, C, ...) to class ids (...), -1 unknown."""
    mean = views.nanmean(0)
    known = ~mean.isnan().any(0)
    share, index = mean.nan_to_num(0).max(0)
    return Fused(index.where(known, -1), share.where(known, 0.0))


def shares(views: Tensor) -> Fused:
    """Independent probabilities (V, ...) to their mean (...)."""
    mean = views.nanmean(0)
    return Fused(mean, torch.maximum(mean, 1 - mean).nan_to_num(0))


def lengths(views: Tensor, most: float = math.inf) -> Fused:
    """Positive quantities (V, ...), at most ``most``, to their geometric mean (...)."""
    value, confidence = _spread(views.log(), TAU, torch.exp)
    impossible = ((views <= 0) | (views > most)).any(0)  # False for NaN
    return Fused(value.masked_fill(impossible, torch.nan), confidence.masked_fill(impossible, 0.0))


def numbers(views: Tensor, scale: Tensor | float = 1.0) -> Fused:
    """Numbers (V, ...) to their mean; confidence is 1/2 where they spread by ``scale``."""
    return _spread(views, scale, lambda mean: mean)


def directions(views: Tensor) -> Fused:
    """Unit vectors (V, 3, ...) to the direction (3, ...) of their mean and its length (...)."""
    mean = views.nanmean(0)
    length = (mean**2).sum(0).sqrt()
    known = length > _FLOOR  # False for NaN
    unit = mean / length.where(known, 1.0)
    return Fused(unit.where(known, torch.nan), length.clamp(max=1).where(known, 0.0))


def plane(fused: Fused) -> Fused:
    """The same for maps (1, H, W) of one channel, whose confidence is (H, W)."""
    return fused._replace(confidence=fused.confidence[0])


def _spread(views: Tensor, scale: Tensor | float, back: Callable[[Tensor], Tensor]) -> Fused:
    mean = views.nanmean(0)
    variance = ((views - mean) ** 2).nanmean(0)
    confidence = 1 / (1 + variance / scale**2)
    return Fused(back(mean), confidence.nan_to_num(0))
