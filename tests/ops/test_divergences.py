import pytest
import torch

from crosstask.ops.gaussians import (
    diagonal_kl,
    diagonal_wasserstein2,
    gaussian_kl,
    mean_distance,
    region_moments,
    wasserstein2,
)
from tests.ops.made_up import hard_cases, pair_of_sets


def test_kl_agrees_with_torch_distributions():
    sets = pair_of_sets(4, (2, 3, 4), dtype=torch.float64)
    gaussians = [torch.distributions.MultivariateNormal(m[k], s[k]) for m, s in (sets[:2], sets[2:]) for k in range(3)]
    kl = torch.distributions.kl_divergence
    forward = torch.stack([torch.stack([kl(a, b) for b in gaussians[3:]]) for a in gaussians[:3]])
    back = torch.stack([torch.stack([kl(b, a) for b in gaussians[3:]]) for a in gaussians[:3]])
    torch.testing.assert_close(gaussian_kl(*sets, ridge=0), forward, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gaussian_kl(*sets, ridge=0, symmetric=True), (forward + back) / 2, rtol=1e-6, atol=1e-6)
    leaves = tuple(x.requires_grad_() for x in sets)
    assert torch.autograd.gradcheck(lambda *x: gaussian_kl(*x, symmetric=True), leaves)


@pytest.mark.parametrize("name", list(hard_cases()))
@pytest.mark.parametrize("distance", [gaussian_kl, diagonal_kl, diagonal_wasserstein2, mean_distance])
def test_cheaper_distances_are_finite(name, distance):
    one, two, regions = hard_cases()[name]
    one.requires_grad_()
    a, b = region_moments(one, regions), region_moments(two, regions)
    found = distance(a.mean, a.covariance, b.mean, b.covariance)
    assert found.isfinite().all()
    found.mean().backward()
    assert one.grad.isfinite().all()


@pytest.mark.parametrize("distance", [gaussian_kl, diagonal_kl, diagonal_wasserstein2, mean_distance, wasserstein2])
@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_set_has_no_distances_and_an_exact_zero_gradient(distance, empty):
    sets = [x.requires_grad_() for x in pair_of_sets(4, (2, 3))]
    for place in (2 * empty, 2 * empty + 1):
        sets[place] = sets[place].detach()[:0]
    found = distance(*sets)
    assert found.numel() == 0
    found.sum().backward()
    assert not any(x.grad.any() for x in sets if x.grad is not None)


def test_diagonal_and_mean_distance_by_formula():
    sets = pair_of_sets(5, (2, 3), dtype=torch.float64)
    leaves = tuple(x.requires_grad_() for x in sets)
    mean_a, covariance_a, mean_b, covariance_b = leaves
    means = (mean_a[:, None] - mean_b).square().sum(-1)
    a, b = (x.diagonal(dim1=1, dim2=2).sqrt() for x in (covariance_a, covariance_b))
    torch.testing.assert_close(mean_distance(*leaves), means)
    torch.testing.assert_close(diagonal_wasserstein2(*leaves), means + (a[:, None] - b).square().sum(-1))
    assert torch.autograd.gradcheck(diagonal_wasserstein2, leaves)


def test_diagonal_kl_agrees_with_torch_distributions():
    sets = pair_of_sets(6, (3, 4), dtype=torch.float64)

    def normal(which: int, index: int) -> torch.distributions.Distribution:
        mean, covariance = sets[2 * which][index], sets[2 * which + 1][index]
        return torch.distributions.Independent(torch.distributions.Normal(mean, covariance.diagonal().sqrt()), 1)

    kl = torch.distributions.kl_divergence
    first, second = ([normal(which, index) for index in range(len(sets[2 * which]))] for which in (0, 1))
    forward = torch.stack([torch.stack([kl(a, b) for b in second]) for a in first])
    back = torch.stack([torch.stack([kl(b, a) for b in second]) for a in first])
    torch.testing.assert_close(diagonal_kl(*sets, ridge=0), forward, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(diagonal_kl(*sets, ridge=0, symmetric=True), (forward + back) / 2, rtol=1e-6, atol=1e-6)
    assert torch.autograd.gradcheck(lambda *x: diagonal_kl(*x), tuple(x.requires_grad_() for x in sets))


def test_diagonal_kl_stays_of_the_same_size_where_regions_have_fewer_pixels_than_channels():
    """Where the full one measures the noise of directions no pixel has."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(1, 16, 24, 32, generator=rng)
    few, many = ((torch.arange(768) // size).reshape(1, 24, 32) for size in (8, 64))
    found = []
    for distance in (diagonal_kl, gaussian_kl):
        described = [region_moments(features, ids)[:2] for ids in (few, many)]
        medians = [distance(*each, *each).median() for each in described]
        found.append(float(medians[0] / medians[1]))
    assert found[0] < 20
    assert found[1] > 200
