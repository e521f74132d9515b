"""Regions of feature maps as Gaussians, and distances between them.

>>> import torch
>>> features = torch.randn(2, 16, 24, 32, requires_grad=True)
>>> regions = torch.arange(24 * 32).view(1, 24, 32).div(128, rounding_mode="floor").expand(2, -1, -1)
>>> mean, covariance, count, image = region_moments(features, regions)
>>> wasserstein2(mean, covariance, mean.detach(), covariance.detach()).shape
torch.Size([12, 12])
"""

from crosstask.ops.divergences import diagonal_kl, diagonal_wasserstein2, gaussian_kl, mean_distance
from crosstask.ops.moments import Moments, region_moments
from crosstask.ops.regions import RegionIndex, index_regions, region_means
from crosstask.ops.wasserstein import paired_wasserstein2, wasserstein2

__all__ = [
    "Moments",
    "RegionIndex",
    "diagonal_kl",
    "diagonal_wasserstein2",
    "gaussian_kl",
    "index_regions",
    "mean_distance",
    "paired_wasserstein2",
    "region_means",
    "region_moments",
    "wasserstein2",
]
