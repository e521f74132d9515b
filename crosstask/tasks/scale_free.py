"""A loss of depth maps whose shape is right and whose scale may not be: those a network made."""

from __future__ import annotations

import torch
from torch import Tensor

SCALES = 4


def scale_free(prediction: Tensor, target: Tensor, weight: Tensor, gradients: float = 0.5) -> Tensor:
    """Summed loss of positive depths. With d = log prediction - log target and weights w, image by image,

        sum w d^2 - (sum w d)^2 / sum w   +   gradients (sum w) mean_s mean(|dx d| + |dy d|)

    The first part (Eigen et al., NeurIPS 2014, eq. 3 with lambda = 1) leaves the scale of the image free, the second
    (Ranftl et al., TPAMI 2022, eq. 11, here on logarithms) is a mean over pairs of known neighbours 1, 2, 4 and 8
    pixels apart, weighted by the lesser weight of the pair, that keeps edges where the label has them.

    Args:
        prediction: (B, 1, H, W), positive.
        target: (B, 1, H, W), anything where the weight is 0.
        weight: (B, H, W).
        gradients: weight of the second part.
    """
    weight = weight.unsqueeze(1)
    known = weight > 0
    error = (prediction.log() - target.where(known, 1.0).log()).where(known, 0.0)
    amount = weight.flatten(1).sum(1)
    spread = (weight * error**2).flatten(1).sum(1) - (weight * error).flatten(1).sum(1) ** 2 / amount.clamp(min=1e-12)
    edges = torch.stack([_edges(error, weight, 2**scale) for scale in range(SCALES)]).mean(0)
    return (spread + gradients * amount * edges).sum()


def _edges(error: Tensor, weight: Tensor, step: int) -> Tensor:
    """Mean absolute difference of neighbours ``step`` apart, per image (B,); 0 without any."""
    total = error.new_zeros(len(error))
    for axis in (-1, -2):
        if error.shape[axis] <= step:
            continue
        first, second = (slice(None, -step), slice(step, None))
        place = (lambda part: (..., part)) if axis == -1 else (lambda part: (..., part, slice(None)))
        pair = torch.minimum(weight[place(first)], weight[place(second)])
        change = (error[place(second)] - error[place(first)]).abs()
        total = total + (pair * change).flatten(1).sum(1) / pair.flatten(1).sum(1).clamp(min=1e-12)
    return total
