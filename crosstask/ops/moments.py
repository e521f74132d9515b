"""Mean and covariance of the features of every region of every image, in one batched pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

TILE = 128
"""Pixels per matrix product: regions are cut into tiles of this size, the last of each filled up with zeros."""

CHUNK = 2**20
"""Most elements of a temporary batch of matrices, one per tile."""


class Moments(NamedTuple):
    """What the pixels of each region look like.

    Attributes:
        mean: (R, C).
        covariance: (R, C, C), unbiased (divided by n - 1); zero for a region of one pixel.
        count: (R,) int64, pixels.
        image: (R,) int64, which image of the batch each region is part of.
    """

    mean: Tensor
    covariance: Tensor
    count: Tensor
    image: Tensor


@dataclass(frozen=True)
class RegionIndex:
    """Which pixels belong to which region, sorted by image and then by id; to be shared by all feature maps of a batch.

    Attributes:
        shape: (B, H, W) of the region map.
        id: (R,) int64, the id each region has in its image.
        image: (R,) int64.
        count: (R,) int64, pixels.
        pixel: (N,) int64, positions in the flattened (B, H, W) map of the pixels in regions, region by region.
    """

    shape: torch.Size
    id: Tensor
    image: Tensor
    count: Tensor
    pixel: Tensor

    def __len__(self) -> int:
        return len(self.id)


@torch.no_grad()
def index_regions(regions: Tensor, *, minimum: int = 1) -> RegionIndex:
    """Sort the pixels of a batch by region.

    Args:
        regions: (B, H, W) integer ids; negative means no region. The same id in two images is two regions.
        minimum: regions of fewer pixels are left out.

    Raises:
        ValueError: ``regions`` is not an integer (B, H, W) tensor.
    """
    if regions.dim() != 3 or regions.is_floating_point():
        raise ValueError(
            f"regions must be integer ids (B, H, W), found {regions.dtype} {tuple(regions.shape)}: "
            "stack the id maps of the batch and convert them with .int()"
        )
    ids = regions.flatten(1).long()
    span = ids.max() + 1 if ids.numel() else ids.new_ones(())
    images = torch.arange(len(ids), device=ids.device)[:, None]
    key = torch.where(ids >= 0, ids + images * span, -1).flatten()
    key, order = key.sort(stable=True)
    key, count = key.unique_consecutive(return_counts=True)
    kept = (key >= 0) & (count >= minimum)
    pixel = order[kept.repeat_interleave(count)]
    key, count = key[kept], count[kept]
    return RegionIndex(regions.shape, key % span, key // span, count, pixel)


def region_moments(features: Tensor, regions: Tensor | RegionIndex, *, minimum: int = 1) -> Moments:
    """Mean and unbiased covariance of the features in every region.

    The result is sorted by image and then by region id, so two feature maps with the same regions agree row by row.
    ``index_regions(regions)`` tells the ids, and passing it in place of the map spares sorting again.

    Args:
        features: (B, C, H, W); half precision is computed in float32.
        regions: (B, H, W) integer ids, negative for none; or their index.
        minimum: regions of fewer pixels are left out (of a map; an index has left them out already).

    Raises:
        ValueError: sizes of ``features`` and ``regions`` differ.
    """
    index = regions if isinstance(regions, RegionIndex) else index_regions(regions, minimum=minimum)
    if features.dim() != 4 or (features.shape[0], *features.shape[2:]) != tuple(index.shape):
        raise ValueError(
            f"features {tuple(features.shape)} do not fit regions {tuple(index.shape)}: "
            "resize one of them so that (B, C, H, W) meets (B, H, W)"
        )
    if features.dtype != torch.float64:
        features = features.float()
    with torch.autocast(features.device.type, enabled=False):
        mean, covariance = _RegionMoments.apply(features, _Tiles(index))
    return Moments(mean, covariance, index.count, index.image)


class _Tiles:
    """The pixels of a :class:`RegionIndex` laid out in tiles that lie in one region each.

    Attributes:
        region: (T,) the region of each tile, ascending.
        pixel: (T * TILE,) the pixel in each slot; a padding slot repeats a pixel of its region.
        padding: (T, 1, TILE) bool, the slots that are padding.
        target: (T * TILE,) where the gradient of each slot goes; for padding, one behind the last pixel.
    """

    def __init__(self, index: RegionIndex) -> None:
        self.index = index
        count = index.count
        tiles = (count + TILE - 1) // TILE
        region = torch.arange(len(count), device=count.device)
        self.region = region.repeat_interleave(tiles)
        first_slot = (tiles.cumsum(0) - tiles) * TILE
        first_pixel = count.cumsum(0) - count
        owner = self.region.repeat_interleave(TILE)
        within = torch.arange(len(owner), device=count.device) - first_slot[owner]
        real = within < count[owner]
        self.pixel = index.pixel[first_pixel[owner] + torch.minimum(within, count[owner] - 1)]
        self.padding = (~real).view(-1, 1, TILE)
        self.target = self.pixel.masked_fill(~real, index.shape.numel())


class _RegionMoments(torch.autograd.Function):
    """Centred two-pass sums; d mean = 1 / n, d covariance = (G + G^T) (x - mean) / (n - 1)."""

    @staticmethod
    def forward(ctx, features: Tensor, tiles: _Tiles) -> tuple[Tensor, Tensor]:
        channels, regions = features.shape[1], len(tiles.index)
        count = tiles.index.count.to(features.dtype)[:, None]
        pixels = features.transpose(0, 1).reshape(channels, -1).index_select(1, tiles.pixel)
        centred = pixels.view(channels, -1, TILE).transpose(0, 1).contiguous()
        centred.masked_fill_(tiles.padding, 0)
        mean = features.new_zeros(regions, channels).index_add_(0, tiles.region, centred.sum(-1)) / count
        centred -= mean.index_select(0, tiles.region)[..., None]
        centred.masked_fill_(tiles.padding, 0)
        covariance = features.new_zeros(regions, channels, channels)
        for part, region in _chunks(tiles.region, channels):
            covariance.index_add_(0, region, torch.bmm(centred[part], centred[part].mT))
        covariance /= (count - 1).clamp_min_(1)[..., None]
        ctx.save_for_backward(centred)
        ctx.tiles = tiles
        return mean, covariance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_mean: Tensor, grad_covariance: Tensor) -> tuple[Tensor, None]:
        (centred,) = ctx.saved_tensors
        tiles, index = ctx.tiles, ctx.tiles.index
        channels = centred.shape[1]
        count = index.count.to(centred.dtype)
        slope = (grad_covariance + grad_covariance.mT) / (count - 1).clamp_min(1)[:, None, None]
        shift = grad_mean / count[:, None]
        batch, height, width = index.shape
        grad = centred.new_empty(channels, len(tiles.region), TILE)
        with torch.autocast(centred.device.type, enabled=False):
            for part, region in _chunks(tiles.region, channels):
                product = torch.bmm(slope.index_select(0, region), centred[part])
                product += shift.index_select(0, region)[..., None]
                grad[:, part] = product.transpose(0, 1)
        out = centred.new_zeros(channels, batch * height * width + 1)
        out.index_copy_(1, tiles.target, grad.view(channels, -1))
        return out[:, :-1].reshape(channels, batch, height, width).transpose(0, 1), None


def _chunks(region: Tensor, channels: int) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the tiles with the regions of each, small enough for one matrix per tile."""
    size = max(1, CHUNK // channels**2)
    for start in range(0, len(region), size):
        part = slice(start, start + size)
        yield part, region[part]
