"""3x3 convolutions with a quarter of the multiplications, for CPUs, whose libraries multiply directly.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), F(4x4, 3x3): for a tile d of 6x6 inputs
and a kernel g, the 4x4 outputs are

    A^T [(G g G^T) * (B^T d B)] A

where the sum over channels is 36 matrix products, over all tiles at once. The gradients are of the same form. Values
differ from those of a direct convolution by rounding: about 1e-5 of the largest in float32.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

B = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
A = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))

LARGE = 2**25
"""Bytes from which on the C library asks the system for memory anew each time, which costs more than filling it."""


@functools.cache
def _matrices(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """B^T (6, 6), G (6, 3), A^T (4, 6)."""
    inputs, kernels, outputs = (torch.tensor(each, dtype=dtype) for each in (B, G, A))
    return inputs, kernels, outputs


def conv3x3(maps: Tensor, weight: Tensor) -> Tensor:
    """``F.conv2d(maps, weight, padding=1)`` for (N, C, H, W) and (D, C, 3, 3), in the layout of channels last.

    Worth it from about 128 channels on. Differentiable once, in both.

    >>> maps, weight = torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3)
    >>> conv3x3(maps, weight)[0, 0, 2].round()
    tensor([6., 9., 9., 9., 6.])
    """
    result: Tensor = _Convolution.apply(maps, weight)
    return result


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, maps: Tensor, weight: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        inputs, kernels, outputs = _matrices(maps.dtype)
        tiles = _transformed(inputs, _cut(maps))
        layout = weight.permute(2, 3, 0, 1)  # that of taps: (6, 6, D, C)
        taps = [_transformed(kernels, part) for part in layout.chunk(-(-4 * weight.nbytes // LARGE), 2)]
        ctx.save_for_backward(tiles, *taps)
        ctx.size = maps.shape
        return _joined(_transformed(outputs, torch.cat([tiles @ part.mT for part in taps], 3)), maps.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        tiles, *taps = ctx.saved_tensors
        inputs, kernels, outputs = _matrices(gradient.dtype)
        products = _transformed(outputs.T, _apart(gradient)).split([part.shape[2] for part in taps], 3)
        to_maps = to_weight = None
        if ctx.needs_input_grad[0]:
            to_tiles = sum(each @ part for each, part in zip(products, taps, strict=True))
            to_maps = _overlapped(_transformed(inputs.T, to_tiles), ctx.size)
        if ctx.needs_input_grad[1]:
            parts = [_transformed(kernels.T, each.mT @ tiles) for each in products]
            to_weight = torch.cat(parts, 2).permute(2, 3, 0, 1)
        return to_maps, to_weight


def _transformed(matrix: Tensor, tiles: Tensor) -> Tensor:
    """``matrix`` (n, m) from both sides: (m, m, P, Q) to (n, n, P, Q)."""
    rows = (matrix @ tiles.reshape(len(tiles), -1)).view(len(matrix), len(tiles[0]), -1)
    return (matrix @ rows).view(len(matrix), len(matrix), *tiles.shape[2:])


def _counts(size: torch.Size) -> tuple[int, int]:
    """How many tiles of 4x4 maps of (N, C, H, W) have in height and width."""
    return -(-size[2] // 4), -(-size[3] // 4)


def _padded(maps: Tensor, border: int) -> Tensor:
    """Maps as (N, H, W, C) with zeros around, to whole tiles."""
    height, width = _counts(maps.shape)
    below, right = 4 * height - maps.shape[2] + border, 4 * width - maps.shape[3] + border
    return F.pad(maps.permute(0, 2, 3, 1), (0, 0, border, right, border, below))


def _cut(maps: Tensor) -> Tensor:
    """Overlapping tiles of inputs, (6, 6, tiles, C)."""
    tiles = _padded(maps, 1).unfold(1, 6, 4).unfold(2, 6, 4)  # (N, h, w, C, 6, 6)
    return tiles.permute(4, 5, 0, 1, 2, 3).flatten(2, 4)


def _overlapped(tiles: Tensor, size: torch.Size) -> Tensor:
    """The adjoint of :func:`_cut`: sums of overlapping tiles, (N, C, H, W)."""
    images, channels, rows, columns = size
    height, width = _counts(size)
    tiles = tiles.unflatten(2, (images, height, width))
    whole = tiles.new_zeros(images, height + 1, 4, width + 1, 4, channels)
    for below, upper in ((0, slice(0, 4)), (1, slice(4, 6))):
        for right, left in ((0, slice(0, 4)), (1, slice(4, 6))):
            part = tiles[upper, left].permute(2, 3, 0, 4, 1, 5)
            whole[:, below : below + height, : part.shape[2], right : right + width, : part.shape[4]] += part
    maps = whole.view(images, 4 * height + 4, 4 * width + 4, channels)
    return maps[:, 1 : rows + 1, 1 : columns + 1].permute(0, 3, 1, 2)


def _joined(tiles: Tensor, size: torch.Size) -> Tensor:
    """Tiles of outputs (4, 4, tiles, D) side by side, (N, D, H, W)."""
    images, _, rows, columns = size
    height, width = _counts(size)
    maps = tiles.view(4, 4, images, height, width, -1).permute(2, 3, 0, 4, 1, 5)
    return maps.reshape(images, 4 * height, 4 * width, -1)[:, :rows, :columns].permute(0, 3, 1, 2)


def _apart(maps: Tensor) -> Tensor:
    """The adjoint of :func:`_joined`: (N, D, H, W) to (4, 4, tiles, D)."""
    height, width = _counts(maps.shape)
    tiles = _padded(maps, 0).unflatten(1, (height, 4)).unflatten(3, (width, 4))  # (N, h, 4, w, 4, D)
    return tiles.permute(2, 4, 0, 1, 3, 5).flatten(2, 4)
