"""Class activation maps: where in an image a class was seen."""

from __future__ import annotations

from torch import Tensor

EPSILON = 1e-5


def normalised(maps: Tensor) -> Tensor:
    """Activation maps (B, C, h, w) without their negative part, each divided by its greatest value over the image.

    >>> import torch
    >>> normalised(torch.tensor([[[[-1.0, 2.0, 4.0]]]]))
    tensor([[[[0.0000, 0.5000, 1.0000]]]])
    """
    positive = maps.relu()
    return positive / (positive.amax((-2, -1), keepdim=True) + EPSILON)
