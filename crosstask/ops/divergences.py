"""Cheaper or older ways to compare Gaussians, with the signature of ``wasserstein2``: all pairs of two sets."""

from __future__ import annotations

import torch
from torch import Tensor

from crosstask.ops.wasserstein import checked, squared_distances, traces


def gaussian_kl(
    mean_a: Tensor,
    covariance_a: Tensor,
    mean_b: Tensor,
    covariance_b: Tensor,
    *,
    symmetric: bool = False,
    ridge: float = 1e-4,
) -> Tensor:
    """Kullback-Leibler divergence KL(a || b) between full Gaussians.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> gaussian_kl(mean, covariance, mean, covariance, ridge=0.0)
    tensor([[0., 2.],
            [2., 0.]])

    Args:
        mean_a, covariance_a: (A, C) and (A, C, C), symmetric, positive semi-definite.
        mean_b, covariance_b: (B, C) and (B, C, C).
        symmetric: the mean of KL(a || b) and KL(b || a) instead.
        ridge: added to each covariance, as a fraction of its own mean variance plus the mean variance of all; without
            it singular covariances are infinitely far from everything.

    Returns:
        (A, B) float64 for float64 inputs, else float32.

    Raises:
        ValueError: shapes do not fit.
    """
    mean_a, covariance_a, mean_b, covariance_b = checked(mean_a, covariance_a, mean_b, covariance_b)
    with torch.autocast(mean_a.device.type, enabled=False):
        common = torch.cat([traces(covariance_a), traces(covariance_b)]).mean()
        a, b = (_with_floor(covariance, common, ridge) for covariance in (covariance_a, covariance_b))
        if not symmetric:
            return _kl(mean_a, a, mean_b, b)
        return (_kl(mean_a, a, mean_b, b) + _kl(mean_b, b, mean_a, a).T) / 2


def diagonal_kl(
    mean_a: Tensor,
    covariance_a: Tensor,
    mean_b: Tensor,
    covariance_b: Tensor,
    *,
    symmetric: bool = False,
    ridge: float = 1e-2,
) -> Tensor:
    """Kullback-Leibler divergence KL(a || b) between Gaussians without their correlations, summed over channels:

        sum_c  ln(s_b / s_a) + (s_a^2 + (mu_a - mu_b)^2) / (2 s_b^2) - 1 / 2

    Unlike that of full Gaussians it means something where a region has fewer pixels than channels.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> diagonal_kl(mean, covariance, mean, covariance, ridge=0.0)
    tensor([[0., 2.],
            [2., 0.]])

    Args:
        mean_a, covariance_a: (A, C) and (A, C, C), of which only the diagonal is looked at.
        mean_b, covariance_b: (B, C) and (B, C, C).
        symmetric: the mean of KL(a || b) and KL(b || a) instead.
        ridge: added to each variance, as a fraction of the Gaussian's own mean variance plus the mean of all.

    Returns:
        (A, B) float64 for float64 inputs, else float32.

    Raises:
        ValueError: shapes do not fit.
    """
    mean_a, covariance_a, mean_b, covariance_b = checked(mean_a, covariance_a, mean_b, covariance_b)
    with torch.autocast(mean_a.device.type, enabled=False):
        a, b = (covariance.diagonal(dim1=-2, dim2=-1) for covariance in (covariance_a, covariance_b))
        common = torch.cat([a, b]).mean()
        a, b = (each + (ridge * (each.mean(1, keepdim=True) + common)).clamp_min(1e-12) for each in (a, b))
        if not symmetric:
            return _diagonal_kl(mean_a, a, mean_b, b)
        return (_diagonal_kl(mean_a, a, mean_b, b) + _diagonal_kl(mean_b, b, mean_a, a).T) / 2


def diagonal_wasserstein2(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of Gaussians without their correlations: ||mu - mu'||^2 + ||sigma - sigma'||^2.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> diagonal_wasserstein2(mean, covariance, mean, covariance)
    tensor([[0., 4.],
            [4., 0.]])

    Args:
        mean_a, covariance_a: (A, C) and (A, C, C), of which only the diagonal is looked at.
        mean_b, covariance_b: (B, C) and (B, C, C).

    Returns:
        (A, B).

    Raises:
        ValueError: shapes do not fit.
    """
    mean_a, covariance_a, mean_b, covariance_b = checked(mean_a, covariance_a, mean_b, covariance_b)
    with torch.autocast(mean_a.device.type, enabled=False):
        a = torch.cat([mean_a, _deviations(covariance_a)], dim=1)
        b = torch.cat([mean_b, _deviations(covariance_b)], dim=1)
        return squared_distances(a, b)


def mean_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> Tensor:
    """||mu - mu'||^2 alone; the covariances are not looked at.

    >>> mean, covariance = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.eye(2).expand(2, 2, 2)
    >>> mean_distance(mean, covariance, mean, covariance)
    tensor([[0., 4.],
            [4., 0.]])

    Args:
        mean_a, covariance_a: (A, C) and (A, C, C).
        mean_b, covariance_b: (B, C) and (B, C, C).

    Returns:
        (A, B).

    Raises:
        ValueError: shapes do not fit.
    """
    mean_a, _, mean_b, _ = checked(mean_a, covariance_a, mean_b, covariance_b)
    with torch.autocast(mean_a.device.type, enabled=False):
        return squared_distances(mean_a, mean_b)


def _with_floor(covariance: Tensor, common: Tensor, ridge: float) -> Tensor:
    channels = covariance.shape[-1]
    floor = (ridge / channels * (traces(covariance) + common)).clamp_min(1e-12)
    covariance = (covariance + covariance.mT) / 2
    return covariance + floor[:, None, None] * torch.eye(channels, dtype=floor.dtype, device=floor.device)


def _kl(mean_a: Tensor, a: Tensor, mean_b: Tensor, b: Tensor) -> Tensor:
    """(tr(S_b^-1 S_a) + delta^T S_b^-1 delta - C + ln det S_b - ln det S_a) / 2 of all pairs."""
    root_a, root_b = torch.linalg.cholesky_ex(a).L, torch.linalg.cholesky_ex(b).L
    spread = a.flatten(1) @ torch.cholesky_inverse(root_b).flatten(1).T
    delta = (mean_a[:, None] - mean_b).permute(1, 2, 0)
    shift = torch.linalg.solve_triangular(root_b, delta, upper=False).square().sum(1).T
    log_a, log_b = (root.diagonal(dim1=-2, dim2=-1).log().sum(-1) for root in (root_a, root_b))
    return (spread + shift - mean_a.shape[1]) / 2 + log_b - log_a[:, None]


def _diagonal_kl(mean_a: Tensor, a: Tensor, mean_b: Tensor, b: Tensor) -> Tensor:
    precision = 1 / b
    centre = torch.cat([mean_a, mean_b]).detach().mean(0)  # so that a common mean costs no digits; either may be empty
    mean_a, mean_b = mean_a - centre, mean_b - centre
    spread = (a + mean_a.square()) @ precision.T - 2 * mean_a @ (mean_b * precision).T
    spread = spread + (mean_b.square() * precision).sum(1)
    return (spread - mean_a.shape[1] + b.log().sum(1) - a.log().sum(1)[:, None]) / 2


def _deviations(covariance: Tensor) -> Tensor:
    """Standard deviation of each channel (R, C); its gradient is zero where it is zero."""
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    positive = variance > 0
    return torch.where(positive, variance, 1).sqrt().where(positive, variance.new_zeros(()))
