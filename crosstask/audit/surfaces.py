"""What the surfaces of one depth map say of it, without a prediction and without the camera.

Where a pinhole camera sees a plane, the inverse depth is linear in the coordinates of pixels. A constant that was added
to all depths bends every plane that is not parallel to the image, a factor bends none.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOWS = 12, 24
"""Pixels of a side of the windows within which planes are looked for."""
CONSTANTS = (-0.6, -0.45, -0.3, -0.15, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""What may have been added, over the median depth."""
_EDGE = 0.1


def bent(depth: Tensor) -> tuple[float, float]:
    """By how much surfaces are flatter when a constant is taken off a depth map, and that constant over the median.

    Flatness is one less the share of the variance of inverse depth, summed over windows, that planes leave
    unexplained; the gain is in logarithms of that share. Windows with an unknown pixel are left out.

    Args:
        depth: (1, H, W), NaN unknown.

    Returns:
        the gain, at least 0, and the constant; NaN where no window is known whole.
    """
    gains = [_flatness(depth[0], size) for size in WINDOWS]
    known = [each for each in gains if each is not None]
    if not known:
        return math.nan, math.nan
    together = [sum(each[place] for each in known) / len(known) for place in range(len(CONSTANTS))]
    best = min(range(len(CONSTANTS)), key=together.__getitem__)
    return together[CONSTANTS.index(0.0)] - together[best], CONSTANTS[best]


def _flatness(depth: Tensor, size: int) -> list[float] | None:
    """For each constant the logarithm of the share that planes leave unexplained; None where no window is known."""
    if min(depth.shape) < size:
        return None
    windows = depth.unfold(0, size, size // 2).unfold(1, size, size // 2).reshape(-1, size * size)
    windows = windows[~windows.isnan().any(1)]
    if not len(windows):
        return None
    line = torch.linspace(-1, 1, size)
    plane = torch.stack([line[:, None].expand(size, size), line.expand(size, size)]).reshape(2, -1)
    plane = plane / plane.norm(dim=1, keepdim=True)

    def shares(constant: float) -> tuple[Tensor, Tensor]:
        inverse = 1 / (windows - constant * middle).clamp(min=0.1 * windows.min())
        centred = inverse - inverse.mean(1, keepdim=True)
        total = centred.square().sum(1)
        return (total - (centred @ plane.T).square().sum(1)).clamp(min=0), total

    middle = float(windows.median())
    rest, total = shares(0.0)
    smooth = rest <= _EDGE * total  # the others hold an edge
    if not bool(smooth.any()):
        return None
    found = []
    for constant in CONSTANTS:
        rest, total = shares(constant)
        found.append(math.log(max(float(rest[smooth].sum() / total[smooth].sum().clamp(min=1e-12)), 1e-6)))
    return found
