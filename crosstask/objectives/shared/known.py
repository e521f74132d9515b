"""Labels of which only a part is known, where other networks read them: what is unknown is left out, not a zero."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def known_average(maps: Tensor, known: Tensor, factor: int) -> Tensor:
    """Averages over the known pixels of squares; 0 where a square has none.

    Args:
        maps: (B, C, H, W), 0 where unknown.
        known: (B, H, W) bool.
        factor: side of the squares.

    Returns:
        (B, C, H / factor, W / factor), rounded up.
    """
    if factor == 1:
        return maps
    height, width = (-(-side // factor) for side in maps.shape[-2:])
    size = (height, width)
    share = F.adaptive_avg_pool2d(known[:, None].to(maps.dtype), size)
    return F.adaptive_avg_pool2d(maps, size) / share.where(share > 0, 1.0)


def known_cells(known: Tensor, size: tuple[int, int]) -> Tensor:
    """Where a coarser (or finer) map has seen anything known: (B, H, W) bool to (B, h, w) bool, ``size`` (h, w)."""
    return F.adaptive_max_pool2d(known[:, None].float(), size)[:, 0] > 0


def mean_over(values: Tensor, known: Tensor | None) -> Tensor:
    """The mean of each image's values over its known positions: (B, h, w) to (B,); 0 for an image without any."""
    if known is None:
        return values.mean((1, 2))
    return values.where(known, 0.0).sum((1, 2)) / known.sum((1, 2)).clamp(min=1)
