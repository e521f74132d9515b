"""Mean and covariance of the features of every region of every image, in one batched pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crosstask.ops.regions import RegionIndex, index_regions, require_fit

TILE = 128
"""Pixels per matrix product: regions are cut into tiles of this size, the last of each filled up with zeros."""

CHUNK = 2**21
"""Most elements of a temporary batch of tiles or of matrices, one per tile."""


class Moments(NamedTuple):
    """What the pixels of each region look like.

    >>> regions = torch.tensor([[[0, 0, 1, 1]]])
    >>> moments = region_moments(torch.tensor([1.0, 3.0, 5.0, 5.0]).view(1, 1, 1, 4), regions)
    >>> moments.mean.flatten(), moments.covariance.flatten()
    (tensor([2., 5.]), tensor([2., 0.]))

    Attributes:
        mean: (R, C).
        covariance: (R, C, C), unbiased (divided by n - 1); zero for a region of one pixel.
        count: (R,) int64, pixels.
        image: (R,) int64, which image of the batch each region is part of.
    """

    mean: Tensor
    covariance: Tensor
    count: Tensor  # type: ignore[assignment]  # shadows tuple.count
    image: Tensor


@torch.compiler.disable  # products into buffers that are used again: the compiler fails on them
def region_moments(features: Tensor, regions: Tensor | RegionIndex, *, minimum: int = 1) -> Moments:
    """Mean and unbiased covariance of the features in every region.

    The result is sorted by image and then by region id, so two feature maps with the same regions agree row by row.
    ``index_regions(regions)`` tells the ids, and passing it in place of the map spares sorting again.

    >>> regions = torch.tensor([[[0, 0, 1, -1]]])
    >>> mean, covariance, count, image = region_moments(torch.randn(1, 8, 1, 4), regions)
    >>> mean.shape, covariance.shape, count
    (torch.Size([2, 8]), torch.Size([2, 8, 8]), tensor([2, 1]))

    Args:
        features: (B, C, H, W); half precision is computed in float32.
        regions: (B, H, W) integer ids, negative for none; or their index.
        minimum: regions of fewer pixels are left out (of a map; an index has left them out already).

    Raises:
        ValueError: sizes of ``features`` and ``regions`` differ.
    """
    index = regions if isinstance(regions, RegionIndex) else index_regions(regions, minimum=minimum)
    require_fit(features, index)
    if features.dtype != torch.float64:
        features = features.float()
    with torch.autocast(features.device.type, enabled=False):
        mean, covariance = _RegionMoments.apply(features, _Tiles(index))
    return Moments(mean, covariance, index.count, index.image)


class _Tiles:
    """The pixels of a :class:`RegionIndex` laid out in tiles that lie in one region each.

    Attributes:
        region: (T,) the region of each tile, ascending.
        pixel: (T, TILE) the pixel in each slot; a padding slot repeats the last pixel of its region.
        padding: (T, TILE) bool, the slots that are padding.
    """

    def __init__(self, index: RegionIndex) -> None:
        self.index = index
        count = index.count
        tiles = (count + TILE - 1) // TILE
        region = torch.arange(len(count), device=count.device)
        self.region = region.repeat_interleave(tiles)
        number = torch.arange(len(self.region), device=count.device) - (tiles.cumsum(0) - tiles)[self.region]
        within = number[:, None] * TILE + torch.arange(TILE, device=count.device)
        last = count[self.region][:, None] - 1
        first = (count.cumsum(0) - count)[self.region][:, None]
        self.pixel = index.pixel[first + torch.minimum(within, last)]
        self.padding = within > last

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Region, pixels and padding of so many tiles at a time."""
        return zip(self.region.split(size), self.pixel.split(size), self.padding.split(size), strict=True)


class _RegionMoments(torch.autograd.Function):
    """Centred two-pass sums; the gradient of a pixel is (G + G^T) (x - mean) / (n - 1) + g / n.

    Tiles are gathered anew for each pass, a cacheful at a time: hardly slower than keeping them, and without a copy of
    the features.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, tiles: _Tiles) -> tuple[Tensor, Tensor]:
        channels, regions = features.shape[1], len(tiles.index)
        count = tiles.index.count.to(features.dtype)[:, None]
        pixels, work = _pixels(features), _Workspace(features, 2)
        mean = features.new_zeros(regions, channels)
        for region, pixel, padding in tiles.chunks(work.size):
            mean.index_add_(0, region, work.gather(pixels, pixel).masked_fill_(padding, 0).sum(-1).T)
        mean /= count
        covariance = features.new_zeros(regions, channels, channels)
        for region, pixel, padding in tiles.chunks(work.size):
            centred = work.centre(pixels, pixel, mean.index_select(0, region)).masked_fill_(padding[:, None], 0)
            products = torch.bmm(centred, centred.mT, out=work.view(0, len(region), channels, channels))
            covariance.index_add_(0, region, products)
        covariance /= (count - 1).clamp_min_(1)[..., None]
        ctx.save_for_backward(features, mean)
        ctx.tiles = tiles
        return mean, covariance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad_covariance: Tensor) -> tuple[Tensor, None]:
        features, mean = ctx.saved_tensors
        batch, channels, height, width = features.shape
        count = ctx.tiles.index.count.to(mean.dtype)
        slope = (grad_covariance + grad_covariance.mT) / (count - 1).clamp_min(1)[:, None, None]
        shift = grad_mean / count[:, None]
        pixels, work = _pixels(features), _Workspace(features, 3)
        grad = torch.zeros_like(pixels, memory_format=torch.contiguous_format)
        with torch.autocast(features.device.type, enabled=False):
            for region, pixel, _ in ctx.tiles.chunks(work.size):
                centred = work.centre(pixels, pixel, mean.index_select(0, region))
                slopes = torch.index_select(slope, 0, region, out=work.view(2, len(region), channels, channels))
                product = torch.bmm(slopes, centred, out=work.view(0, *centred.shape)).transpose(0, 1)
                shifts = shift.index_select(0, region).T[..., None]
                values = torch.add(product, shifts, out=work.view(1, *product.shape))
                grad.index_copy_(1, pixel.flatten(), values.flatten(1))
        return grad.view(channels, batch, height, width).transpose(0, 1), None


def _pixels(features: Tensor) -> Tensor:
    """(C, B * H * W); a view of a single image."""
    return features.transpose(0, 1).reshape(features.shape[1], -1)


class _Workspace:
    """Memory that is used again for every chunk of tiles: fresh pages cost as much as the arithmetic.

    Attributes:
        size: tiles in a chunk.
    """

    def __init__(self, features: Tensor, buffers: int) -> None:
        channels = features.shape[1]
        largest = channels * max(channels, TILE)
        self.size = max(1, CHUNK // largest)
        self.buffers = [features.new_empty(self.size * largest) for _ in range(buffers)]

    def view(self, buffer: int, *shape: int) -> Tensor:
        """The start of a buffer in this shape."""
        return self.buffers[buffer][: math.prod(shape)].view(shape)

    def gather(self, pixels: Tensor, pixel: Tensor) -> Tensor:
        """Tiles (C, T, TILE) of pixels (C, N), in buffer 0."""
        out = self.view(0, len(pixels), pixel.numel())
        return torch.index_select(pixels, 1, pixel.flatten(), out=out).view(len(pixels), *pixel.shape)

    def centre(self, pixels: Tensor, pixel: Tensor, mean: Tensor) -> Tensor:
        """Tiles (T, C, TILE) of pixels (C, N) minus means (T, C), in buffer 1; also uses buffer 0."""
        tiles = self.gather(pixels, pixel).transpose(0, 1)
        return torch.sub(tiles, mean[..., None], out=self.view(1, *tiles.shape))
