"""Images of which a part is missing: in space, every other cell or random ones; in frequency, a band.

Masks are True where something is *removed*.
"""

from __future__ import annotations

import torch
from torch import Tensor


def checkerboard(size: tuple[int, int], cell: int) -> Tensor:
    """Every other square cell, but not the one at the top left.

    >>> checkerboard((2, 4), cell=1).int()
    tensor([[0, 1, 0, 1],
            [1, 0, 1, 0]], dtype=torch.int32)

    Args:
        size: height and width.
        cell: side of a cell in pixels; cells at the right and at the bottom may be cut off.

    Returns:
        (H, W) bool.
    """
    rows, columns = (torch.arange(side) // cell for side in size)
    return (rows[:, None] + columns) % 2 == 1


def blocks(count: int, size: tuple[int, int], cell: int, share: float, generator: torch.Generator) -> Tensor:
    """Random square cells of a grid, the same number in each image.

    >>> blocks(2, (8, 8), cell=4, share=0.5, generator=torch.Generator().manual_seed(0)).sum((1, 2))
    tensor([32, 32])

    Args:
        count: number of images.
        size: their height and width.
        cell: side of a cell in pixels; cells at the right and at the bottom may be cut off.
        share: of the cells, rounded to a whole number of them.
        generator: on the CPU.

    Returns:
        (count, H, W) bool on the CPU.
    """
    down, across = (-(-side // cell) for side in size)
    places = torch.rand(count, down * across, generator=generator).argsort(1)
    chosen = (places < round(share * down * across)).reshape(count, down, across)
    return chosen.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, : size[0], : size[1]]


def frequencies(size: tuple[int, int]) -> Tensor:
    """The spatial frequency of each coefficient of ``torch.fft.rfft2``: its length, in cycles per pixel.

    >>> frequencies((4, 4))[0]
    tensor([0.0000, 0.2500, 0.5000])

    Returns:
        (H, W // 2 + 1) float32, from 0 to sqrt(1/2); 1/2 is the finest wave along an axis.
    """
    return torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1]))


def without_band(images: Tensor, low: float, high: float) -> Tensor:
    """Images without their waves of frequency ``low <= f < high``, in cycles per pixel.

    The mean of an image is its wave of frequency 0. Values may leave the range of the images.

    >>> flat = without_band(torch.rand(3, 8, 8), 0.1, float("inf"))  # the means alone are left
    >>> bool((flat.std((-2, -1)) < 1e-6).all())
    True

    Args:
        images: (..., H, W) float32 or float64.
        low: lowest frequency that is removed.
        high: lowest frequency above it that is kept; infinite for none.
    """
    size = (images.shape[-2], images.shape[-1])
    frequency = frequencies(size).to(images.device)
    kept = (frequency < low) | (frequency >= high)
    return torch.fft.irfft2(torch.fft.rfft2(images) * kept, s=size)
