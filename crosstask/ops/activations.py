"""Class activation maps: where in an image a class was seen."""

from __future__ import annotations

from torch import Tensor

EPSILON = 1e-5


def normalised(maps: Tensor) -> Tensor:
    """Activation maps (B, C, h, w) without their negative part, each divided by its greatest value over the image."""
    positive = maps.relu()
    return positive / (positive.amax((-2, -1), keepdim=True) + EPSILON)
