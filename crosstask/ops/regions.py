"""Which pixels of a batch belong to which region, and what needs no more than that: means, samples, majorities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RegionIndex:
    """Which pixels belong to which region, sorted by image and then by id; to be shared by all feature maps of a batch.

    >>> index = index_regions(torch.tensor([[[4, 4, 7, -1]]]))
    >>> index.id, index.count, index.pixel
    (tensor([4, 7]), tensor([2, 1]), tensor([0, 1, 2]))

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

    @property
    def owner(self) -> Tensor:
        """(N,) int64, the region that each of :attr:`pixel` belongs to."""
        return torch.arange(len(self), device=self.id.device).repeat_interleave(self.count)


@torch.no_grad()
def index_regions(regions: Tensor, *, minimum: int = 1) -> RegionIndex:
    """Sort the pixels of a batch by region.

    >>> index_regions(torch.tensor([[[4, 4, 7, -1]]]), minimum=2).id
    tensor([4])

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


def region_means(features: Tensor, index: RegionIndex) -> Tensor:
    """Mean feature of every region; what :func:`~crosstask.ops.moments.region_moments` gives first, at a third of its
    cost.

    >>> index = index_regions(torch.tensor([[[0, 0, 1, 1]]]))
    >>> region_means(torch.tensor([1.0, 3.0, 5.0, 5.0]).view(1, 1, 1, 4), index)
    tensor([[2.],
            [5.]])

    Args:
        features: (B, C, H, W); half precision is averaged in float32.
        index: the regions, in maps (B, H, W).

    Returns:
        (R, C).

    Raises:
        ValueError: sizes of ``features`` and regions differ.
    """
    require_fit(features, index)
    if features.dtype != torch.float64:
        features = features.float()
    channels = features.shape[1]
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)[index.pixel]
    return features.new_zeros(len(index), channels).index_add(0, index.owner, pixels) / index.count[:, None]


@torch.no_grad()
def sample_pixels(index: RegionIndex, number: int, generator: torch.Generator) -> RegionIndex:
    """Single pixels drawn from every region, with replacement, as an index of regions of one pixel each.

    >>> index = index_regions(torch.tensor([[[0, 0, 1, 1]]]))
    >>> sample_pixels(index, 3, torch.Generator().manual_seed(0)).id
    tensor([0, 0, 0, 1, 1, 1])

    Args:
        index: the regions.
        number: how many pixels of each.
        generator: on the CPU.

    Returns:
        An index of R x ``number`` rows; ``id`` and ``image`` are those of the region a pixel was drawn from.
    """
    draws = torch.rand(len(index), number, generator=generator, dtype=torch.float64).to(index.count.device)
    first = index.count.cumsum(0) - index.count
    pixel = index.pixel[first[:, None] + (draws * index.count[:, None]).long()].flatten()
    return RegionIndex(
        index.shape,
        index.id.repeat_interleave(number),
        index.image.repeat_interleave(number),
        torch.ones_like(pixel),
        pixel,
    )


@torch.no_grad()
def sample_pixels_of_images(index: RegionIndex, number: int, generator: torch.Generator) -> RegionIndex:
    """Single pixels drawn from all that lie in regions of an image, with replacement: a region as often as it is large.

    >>> index = index_regions(torch.tensor([[[0, 0, 0, 0, 0, 0, 0, 1]]]))
    >>> drawn = sample_pixels_of_images(index, 1000, torch.Generator().manual_seed(0))
    >>> round(float((drawn.id == 1).float().mean()), 1)
    0.1

    Args:
        index: the regions.
        number: how many pixels of each image that has any.
        generator: on the CPU.

    Returns:
        As of :func:`sample_pixels`, sorted by region; ``number`` rows per image.
    """
    owner = index.owner
    amounts = torch.bincount(index.image[owner], minlength=index.shape[0])
    first, amounts = (amounts.cumsum(0) - amounts)[amounts > 0], amounts[amounts > 0]
    draws = torch.rand(len(amounts), number, generator=generator, dtype=torch.float64).to(amounts.device)
    place = (first[:, None] + (draws * amounts[:, None]).long()).flatten().sort().values
    pixel, owner = index.pixel[place], owner[place]
    return RegionIndex(index.shape, index.id[owner], index.image[owner], torch.ones_like(pixel), pixel)


@torch.no_grad()
def majority_class(labels: Tensor, index: RegionIndex, classes: int) -> Tensor:
    """The most frequent known class in every region, the lowest of equals.

    >>> index = index_regions(torch.tensor([[[0, 0, 0, 1]]]))
    >>> majority_class(torch.tensor([[[2, 2, 1, -1]]]), index, classes=3)
    tensor([ 2, -1])

    Args:
        labels: (B, H, W) int64 class ids, negative where unknown.
        index: the regions, in maps (B, H, W).
        classes: how many classes there are.

    Returns:
        (R,) int64; -1 where no pixel of the region is known.

    Raises:
        ValueError: labels and regions differ in size, or a label is of no class: it would be counted in another region.
    """
    if labels.shape != index.shape:
        raise ValueError(f"labels {tuple(labels.shape)} do not fit regions {tuple(index.shape)}: resize one of them")
    if labels.numel() and (largest := int(labels.max())) >= classes:
        raise ValueError(f"labels hold the id {largest}, classes have 0 to {classes - 1}: write -1 where it is unknown")
    label = labels.flatten()[index.pixel]
    known = label >= 0
    votes = torch.bincount((index.owner * classes + label)[known], minlength=len(index) * classes)
    most = votes.view(len(index), classes).max(1)
    return most.indices.where(most.values > 0, -1)


def require_fit(features: Tensor, index: RegionIndex) -> None:
    """Raise a ValueError unless features (B, C, H, W) are as large as the maps (B, H, W) of the regions.

    >>> require_fit(torch.zeros(1, 8, 2, 3), index_regions(torch.zeros(1, 2, 3, dtype=torch.int32)))
    """
    if features.dim() != 4 or (features.shape[0], *features.shape[2:]) != tuple(index.shape):
        raise ValueError(
            f"features {tuple(features.shape)} do not fit regions {tuple(index.shape)}: "
            "resize one of them so that (B, C, H, W) meets (B, H, W)"
        )
