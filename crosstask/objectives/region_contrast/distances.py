"""What is contrasted of a region, and how far apart two regions are then."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from crosstask.errors import RecipeError
from crosstask.ops.divergences import diagonal_kl, diagonal_wasserstein2, gaussian_kl
from crosstask.ops.moments import region_moments
from crosstask.ops.regions import RegionIndex, region_means
from crosstask.ops.wasserstein import Mode, wasserstein2

Described = tuple[Tensor, ...]
"""Regions as rows: means (R, D), and for Gaussians covariances (R, D, D)."""


class Distance(Protocol):
    """Distances (A, B) between all regions of two sets; only the pairs of the mask (A, B) are looked at."""

    def __call__(self, a: Described, b: Described, mask: Tensor) -> Tensor:
        """(n, m) distances of regions `a` and `b` where `mask` (n, m) is true."""


class Comparison(NamedTuple):
    """A way to compare regions.

    Attributes:
        gaussian: whether a region is described by its mean and covariance, or by its mean alone.
        distance: of all pairs.
        temperature: what suits its scale on features of unit length. On regions of made-up rooms, seen by networks that
            have learnt nothing yet, medians over the pairs of regions of one image are .95 (wasserstein), .7
            (diagonal_wasserstein), 24000 (kl) and 120 (diagonal_kl); a tenth of that, roughly.
    """

    gaussian: bool
    distance: Distance
    temperature: float = 0.1

    def describe(self, maps: Tensor, index: RegionIndex) -> Described:
        """The regions of feature maps (P, D, h, w)."""
        return tuple(region_moments(maps, index)[:2]) if self.gaussian else (region_means(maps, index),)

    def shapes(self, dimension: int) -> list[tuple[int, ...]]:
        """Shapes of the description of one region."""
        return [(dimension,), (dimension, dimension)] if self.gaussian else [(dimension,)]


def _wasserstein(a: Described, b: Described, mask: Tensor, mode: Mode = "auto") -> Tensor:
    return wasserstein2(*a, *b, mask=mask, mode=mode)


def _diagonal_wasserstein(a: Described, b: Described, mask: Tensor) -> Tensor:
    return diagonal_wasserstein2(*a, *b)


def _kl(a: Described, b: Described, mask: Tensor) -> Tensor:
    return gaussian_kl(*a, *b, symmetric=True)


def _one_sided_kl(a: Described, b: Described, mask: Tensor) -> Tensor:
    return gaussian_kl(*a, *b)


def _diagonal_kl(a: Described, b: Described, mask: Tensor) -> Tensor:
    return diagonal_kl(*a, *b, symmetric=True)


def _one_sided_diagonal_kl(a: Described, b: Described, mask: Tensor) -> Tensor:
    return diagonal_kl(*a, *b)


def _vector(a: Described, b: Described, mask: Tensor) -> Tensor:
    """||mu - mu'||^2 by one matrix product; centred first, so that a common mean costs no digits."""
    (first,), (second,) = a, b
    with torch.autocast(first.device.type, enabled=False):
        centre = first.detach().mean(0)
        first, second = first - centre, second - centre
        return (first.square().sum(1)[:, None] + second.square().sum(1) - 2 * first @ second.T).clamp_min(0)


DISTANCES: dict[str, Comparison] = {
    "wasserstein": Comparison(True, _wasserstein),
    "diagonal_wasserstein": Comparison(True, _diagonal_wasserstein),
    "kl": Comparison(True, _kl, 2500.0),
    "one_sided_kl": Comparison(True, _one_sided_kl, 2500.0),
    "diagonal_kl": Comparison(True, _diagonal_kl, 12.0),
    "one_sided_diagonal_kl": Comparison(True, _one_sided_diagonal_kl, 12.0),
    "vector": Comparison(False, _vector),
    "pixel": Comparison(False, _vector),
}
"""A pixel is a region of its own: what differs is the index."""


def comparison(name: str, exact: bool | None = None) -> Comparison:
    """The comparison of that name.

    Args:
        name: a key of ``DISTANCES``.
        exact: for wasserstein, whether all distances are exact, or all but the nearest approximated; where not given,
            what :func:`~crosstask.ops.wasserstein.wasserstein2` takes for the size at hand.

    Raises:
        RecipeError: asked of another distance, all of which are exact.
    """
    if exact is None:
        return DISTANCES[name]
    if name != "wasserstein":
        raise RecipeError(f"objectives.region_contrast.exact: {exact}, but {name} is always exact; leave it out")
    return DISTANCES[name]._replace(distance=partial(_wasserstein, mode="exact" if exact else "fast"))
