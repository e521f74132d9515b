"""Masks by which two images are mixed: CutMix, ClassMix, Cutout.

CutMix and Cutout cut rectangles (French et al., "Semi-supervised semantic segmentation needs strong, varied
perturbations", BMVC 2020; DeVries and Taylor, arXiv 1708.04552); ClassMix cuts along the outlines of classes (Olsson et
al., WACV 2021). Draws come from the generator alone, one image after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rectangles(count: int, size: tuple[int, int], generator: torch.Generator, area: float = 0.5) -> Tensor:
    """A random rectangle per image: of ``area``, any aspect ratio, anywhere within the image.

    >>> rectangles(2, (10, 10), torch.Generator().manual_seed(0), area=0.25).shape
    torch.Size([2, 10, 10])

    Args:
        count: number of images.
        size: their height and width.
        generator: on the CPU.
        area: part of the image, up to rounding to whole pixels.

    Returns:
        (count, H, W) bool on the CPU, True within the rectangle.
    """
    height, width = size
    draws = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    share = area + (1 - area) * draws[:, 0]  # of the width; that of the height follows
    columns = (share * width).round().clamp(1, width)
    rows = (area * height * width / columns).round().clamp(1, height)
    top, left = (draws[:, 1] * (height - rows + 1)).floor(), (draws[:, 2] * (width - columns + 1)).floor()
    down, across = torch.arange(height)[None, :, None], torch.arange(width)[None, None, :]
    top, left, rows, columns = (each[:, None, None] for each in (top, left, rows, columns))
    return (down >= top) & (down < top + rows) & (across >= left) & (across < left + columns)


def half_of_classes(labels: Tensor, generator: torch.Generator) -> Tensor:
    """The pixels of a random half (rounded down) of the labels that occur in each image.

    Pixels without a label (-1) count as one label more, as in the released code of Space Engage.

    >>> labels = torch.tensor([[[0, 0, 1, 1, 2, 2, 3, 3]]])
    >>> half_of_classes(labels, torch.Generator().manual_seed(0)).sum()  # two of four classes, of two pixels each
    tensor(4)

    Args:
        labels: (B, H, W) int64.
        generator: on the CPU.

    Returns:
        (B, H, W) bool, where ``labels`` is.
    """
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    for index, ids in enumerate(labels):
        present = ids.unique()
        order = torch.randperm(len(present), generator=generator).to(labels.device)
        chosen[index] = torch.isin(ids, present[order[: len(present) // 2]])
    return chosen
