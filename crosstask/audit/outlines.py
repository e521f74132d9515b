"""Do the outlines of a label lie on those of its image? For which no network is needed.

Lines of a map are how much it steps downwards, how much to the right, and how much it bends. The correlation of the
lines of a label with those of the image, the label moved by every shift up to :data:`REACH` of both sides (by masked
fast Fourier transforms: Padfield, IEEE Transactions on Image Processing 2012), has its peak where the label belongs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor

REACH = 0.3
"""The part of height and width by which a label may have slipped."""
_TOP = 0.9
"""Lines stronger than this part of them are taken for as strong."""
_TINY = 1e-9


class Place:
    """How well a label lies where it lies.

    Args:
        found: its :func:`correlations` with the image.

    Attributes:
        score: by how many standard deviations the correlation is greater than that of the label moved elsewhere; NaN
            where label or image are flat.
        elsewhere: how much greater it is where it is greatest.
    """

    def __init__(self, found: Tensor) -> None:
        down, right = (side // 2 for side in found.shape)
        own = float(found[max(down - 1, 0) : down + 2, max(right - 1, 0) : right + 2].max())
        spread = float(found.std()) if found.numel() > 1 else 0.0
        self.score = (own - float(found.mean())) / spread if spread > _TINY else math.nan
        self.elsewhere = float(found.max()) - own


def lines_of(maps: Tensor) -> Tensor:
    """Steps down, steps to the right and bends of maps (C, H, W), (3, H, W): the largest among the channels, beyond
    their 90th percentile all alike, averaged over 3 x 3 pixels; NaN where unknown."""
    around = F.pad(maps[None], (1, 1, 1, 1), mode="replicate")[0]
    above, below = around[..., :-2, 1:-1], around[..., 2:, 1:-1]
    left, right = around[..., 1:-1, :-2], around[..., 1:-1, 2:]
    found = below - maps, right - maps, 4 * maps - above - below - left - right
    return torch.stack([_drawn(each.abs().amax(0)) for each in found])


def _drawn(step: Tensor) -> Tensor:
    known = ~step.isnan()
    if not bool(known.any()):
        return step
    most = float(step[known].quantile(_TOP)) or float(step[known].max())
    smooth = F.avg_pool2d(step.nan_to_num(0).clamp(max=most)[None], 3, 1, 1, count_include_pad=False)[0]
    return smooth.where(known, torch.nan)


def correlations(lines: Tensor, seen: Tensor) -> Tensor:
    """The correlation, averaged over the kinds of lines, with the label moved by so many pixels down and to the right.

    Args:
        lines: of one label or of several, (..., L, H, W), NaN unknown; where they are flat the correlation is 0.
        seen: of the image, (L, H, W), likewise.

    Returns:
        (..., 2 d + 1, 2 r + 1), in the middle of which the label lies where it lies.
    """
    height, width = lines.shape[-2:]
    down, right = int(REACH * height), int(REACH * width)
    size = next_fast_len(height + down, real=True), next_fast_len(width + right, real=True)  # nothing comes round
    one, known = _centred(lines)
    other, clear = _centred(seen)

    def moved(first: Tensor, second: Tensor) -> Tensor:
        product = torch.fft.rfft2(second, s=size) * torch.fft.rfft2(first, s=size).conj()
        return torch.fft.irfft2(product, s=size).roll((down, right), (-2, -1))[..., : 2 * down + 1, : 2 * right + 1]

    norm = moved(known, other.square()).clamp(min=0) * moved(one.square(), clear).clamp(min=0)
    return (moved(one, other) / norm.sqrt()).where(norm > _TINY, 0.0).mean(-3)


def _centred(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Maps less their mean, over their standard deviation, 0 where unknown; and where they are known."""
    known = (~lines.isnan()).to(lines)
    count = known.sum((-2, -1), keepdim=True).clamp(min=1)
    centred = (lines.nan_to_num(0) - lines.nan_to_num(0).sum((-2, -1), keepdim=True) / count) * known
    spread = (centred.square().sum((-2, -1), keepdim=True) / count).sqrt()
    return (centred / spread).where(spread > _TINY, 0.0), known
