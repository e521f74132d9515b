"""Feature maps and regions, made up to be easy and to be hard."""

import torch

from crosstask.ops.gaussians import region_moments


def maps(channels, size=(24, 32), *, decay=1.0, seed=0, dtype=torch.float32):
    """Two related feature maps with correlated channels, (1, C, H, W) each."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.arange(1, channels + 1, dtype=torch.float64) ** (-decay / 2)
    mixing = torch.linalg.qr(torch.randn(2, channels, channels, dtype=torch.float64, generator=generator)).Q
    noise = torch.randn(2, channels, *size, dtype=torch.float64, generator=generator) * scale[:, None, None]
    one, two = (torch.einsum("dc,chw->dhw", m, x) for m, x in zip(mixing, noise, strict=True))
    return one[None].to(dtype), (0.5 * one + two)[None].to(dtype)


def strips(size, *widths):
    """A map of vertical strips, (1, H, W)."""
    ids = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths))
    return ids.expand(1, size[0], -1)


def pair_of_sets(channels, widths, **options):
    """Moments of both maps over the same strips, as the four arguments of a distance."""
    size = (24, sum(widths))
    one, two = maps(channels, size, **options)
    a, b = (region_moments(x, strips(size, *widths)) for x in (one, two))
    return a.mean, a.covariance, b.mean, b.covariance


def contrast(distance, temperature):
    return -sum(torch.log_softmax(-distance / temperature, dim).diagonal().mean() for dim in (0, 1))


def hard_cases():
    size, regions = (12, 16), strips((12, 16), 1, 5, 5, 5)
    one, two = maps(24, size)
    constant, single, half = one.clone(), regions.clone(), one.clone()
    constant[..., :8] = 3.0
    single[:, 0, 0] = 9
    half[:, ::2] = 0
    outlier = one.clone()
    outlier[0, :, 3, 3] = 1e4
    return {
        "identical": (one, one.clone(), regions),
        "constant regions": (constant, two, regions),
        "all constant": (torch.ones_like(one), torch.ones_like(two), regions),
        "all zero": (one * 0, two * 0, regions),
        "one pixel": (one, two, single),
        "dead channels": (half, two, regions),
        "all regions alike": (one.mean((2, 3), keepdim=True).expand_as(one).clone(), two, regions),
        "fewer pixels than channels": (one, two, torch.arange(192).view(1, *size) // 8),
        "scale 1e4": (one * 1e4, two * 1e4, regions),
        "offset 1e4": (one + 1e4, two + 1e4, regions),
        "one task 1e4": (one * 1e4, two, regions),
        "scale 1e-6": (one * 1e-6, two * 1e-6, regions),
        "outlier": (outlier, two, regions),
    }
