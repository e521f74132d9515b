import numpy as np
import pytest
import scipy.linalg
import torch

from crosstask.ops import bures
from crosstask.ops.gaussians import (
    diagonal_wasserstein2,
    gaussian_kl,
    mean_distance,
    paired_wasserstein2,
    region_moments,
    wasserstein2,
)
from tests.ops.made_up import contrast, hard_cases, maps, pair_of_sets, strips
from tests.shared import shared


def slow_wasserstein2(mean_a, covariance_a, mean_b, covariance_b):
    """scipy.linalg.sqrtm of the product, pair by pair, in float64."""
    out = np.zeros((len(mean_a), len(mean_b)))
    for i, (m, s) in enumerate(zip(mean_a.double().numpy(), covariance_a.double().numpy(), strict=True)):
        root = scipy.linalg.sqrtm(s + 1e-14 * np.trace(s) * np.eye(len(s))).real
        for j, (n, t) in enumerate(zip(mean_b.double().numpy(), covariance_b.double().numpy(), strict=True)):
            inner = root @ t @ root
            fidelity = np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2).clip(0)).sum()
            if np.linalg.cond(s) < 1e8 and np.linalg.cond(t) < 1e8:
                assert np.trace(scipy.linalg.sqrtm(s @ t)).real == pytest.approx(fidelity, rel=1e-6)
            out[i, j] = ((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * fidelity
    return torch.from_numpy(out)


def autograd_wasserstein2(mean_a, covariance_a, mean_b, covariance_b):
    """By eigenvectors and autograd, pair by pair; for covariances of full rank."""

    def root(matrix):
        values, vectors = torch.linalg.eigh(matrix)
        return (vectors * values.sqrt()) @ vectors.T

    rows = []
    for m, s in zip(mean_a, covariance_a, strict=True):
        half = root(s)
        for n, t in zip(mean_b, covariance_b, strict=True):
            fidelity = torch.linalg.eigvalsh(half @ t @ half).sqrt().sum()
            rows.append((m - n).square().sum() + s.trace() + t.trace() - 2 * fidelity)
    return torch.stack(rows).view(len(mean_a), len(mean_b))


def relative(found, expected, sets):
    """Largest error as a fraction of tr S + tr S'."""
    trace_a, trace_b = (sets[k].double().diagonal(dim1=1, dim2=2).sum(-1) for k in (1, 3))
    return ((found - expected).abs() / (trace_a[:, None] + trace_b)).max().item()


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0).item()


@pytest.mark.parametrize(
    ("channels", "widths", "decay"),
    [(8, (4, 8, 3), 1), (32, (3, 5, 9, 16), 0), (32, (4, 7, 9), 3), (64, (6, 12, 20), 1)],
)
def test_float32_agrees_with_sqrtm(channels, widths, decay):
    sets = pair_of_sets(channels, widths, decay=decay)
    assert relative(wasserstein2(*sets, mode="exact"), slow_wasserstein2(*sets), sets) < 2e-4


@pytest.mark.parametrize(("channels", "widths"), [(32, (1, 1, 1, 4)), (64, (1, 2, 2, 1))])
def test_fewer_pixels_than_channels(channels, widths):
    double = pair_of_sets(channels, widths, dtype=torch.float64)
    sets = tuple(x.float() for x in double)
    expected = slow_wasserstein2(*double)
    assert relative(wasserstein2(*sets, mode="exact"), expected, sets) < 1e-4
    assert relative(wasserstein2(*sets, mode="exact", ridge=1e-4), expected, sets) < 5e-3


def test_published_cases():
    stored = np.load(shared("fixtures/rdc/frechet.npz"))
    for case in range(int(stored["n_cases"])):
        one, two = (
            [torch.from_numpy(stored[f"c{case}_{name}{side}"])[None] for name in ("mu", "S")] for side in (1, 2)
        )
        expected = float(stored["exact_w2sq"][case])
        assert wasserstein2(*one, *two).item() == pytest.approx(expected, rel=1e-5)
        assert paired_wasserstein2(*one, *two).item() == pytest.approx(expected, rel=1e-5)


def test_published_regions():
    stored = np.load(shared("fixtures/rdc/region_loss.npz"))
    regions = torch.from_numpy(stored["sam"]).int()
    x, y = (region_moments(torch.from_numpy(stored[k]).double(), regions, minimum=10) for k in "xy")
    assert torch.equal(x.count, torch.from_numpy(stored["counts"]))
    for moments, k in ((x, "x"), (y, "y")):
        torch.testing.assert_close(moments.mean.float(), torch.from_numpy(stored[f"official_u{k}"]))
        torch.testing.assert_close(moments.covariance, torch.from_numpy(stored[f"official_s{k}"]), rtol=1e-5, atol=1e-6)
    for a, b, k in ((x, y, "xy"), (x, x, "xx"), (y, y, "yy")):
        found = wasserstein2(a.mean, a.covariance, b.mean, b.covariance)
        torch.testing.assert_close(found, torch.from_numpy(stored[f"exact_w2sq_{k}"]), rtol=1e-5, atol=1e-5)


def test_gradcheck():
    sets = pair_of_sets(3, (1, 2), dtype=torch.float64)
    leaves = tuple(x.requires_grad_() for x in sets)
    assert torch.autograd.gradcheck(lambda *x: wasserstein2(*x, mode="exact"), leaves)
    assert torch.autograd.gradcheck(lambda *x: wasserstein2(*x, mode="exact", memory=0), leaves)
    assert torch.autograd.gradcheck(lambda *x: wasserstein2(*x, mode="exact", ridge=0.1), leaves)
    assert torch.autograd.gradcheck(lambda m, s, n, t: wasserstein2(m, s, m, s, mode="exact"), leaves)
    assert torch.autograd.gradcheck(paired_wasserstein2, leaves)


def test_gradcheck_through_regions_of_fewer_pixels_than_channels():
    regions = torch.tensor([[[0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 2, -1]]])
    features = torch.randn(2, 1, 4, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def distance(one, two):
        a, b = region_moments(one, regions), region_moments(two, regions)
        return wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode="exact")

    assert torch.autograd.gradcheck(distance, tuple(x.clone().requires_grad_() for x in features))


def test_gradient_agrees_with_autograd_through_eigenvectors():
    sets = pair_of_sets(6, (2, 3, 4), dtype=torch.float64)
    leaves, copies = ([x.clone().requires_grad_() for x in sets] for _ in range(2))
    found, expected = wasserstein2(*leaves, mode="exact"), autograd_wasserstein2(*copies)
    torch.testing.assert_close(found, expected)
    weights = torch.rand(found.shape, dtype=found.dtype)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for leaf, copy in zip(leaves, copies, strict=True):
        torch.testing.assert_close(leaf.grad, (copy.grad + copy.grad.mT) / 2 if copy.dim() == 3 else copy.grad)


@pytest.mark.parametrize("memory", [0, 2**30])
def test_float32_gradient_reaches_the_pixels(memory):
    regions = strips((24, 32), 2, 6, 10, 14)
    gradients = []
    for dtype in (torch.float64, torch.float32):
        one, two = (x.requires_grad_() for x in maps(48, dtype=dtype))
        a, b = region_moments(one, regions), region_moments(two, regions)
        distance = wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode="exact", memory=memory)
        contrast(distance, 1.0).backward()
        gradients.append(torch.cat([one.grad, two.grad]).double())
    assert (gradients[0] - gradients[1]).norm() < 2e-3 * gradients[0].norm()


def test_chunks_change_nothing(monkeypatch):
    sets = pair_of_sets(10, (1, 1, 2, 3, 1, 4, 6, 2), dtype=torch.float64)
    whole = wasserstein2(*sets, mode="exact")
    monkeypatch.setattr(bures, "_chunk_size", lambda factor: 5)
    torch.testing.assert_close(wasserstein2(*sets, mode="exact"), whole)
    torch.testing.assert_close(wasserstein2(*sets[:2], *sets[:2], mode="exact").diagonal(), torch.zeros(8).double())


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", list(hard_cases()))
def test_value_and_gradient_are_finite(name, mode):
    one, two, regions = hard_cases()[name]
    one.requires_grad_(), two.requires_grad_()
    a, b = region_moments(one, regions), region_moments(two, regions)
    distance = wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode=mode, nearest=1)
    assert distance.isfinite().all()
    assert (distance >= 0).all()
    (contrast(distance, distance.detach().mean().clamp_min(1e-20)) + distance.mean()).backward()
    assert one.grad.isfinite().all()
    assert two.grad.isfinite().all()


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize(("channels", "number"), [(16, 400), (32, 400), (128, 40)])
@pytest.mark.parametrize("rank", [1, 2, 8])
def test_few_and_tiny_eigenvalues(scale, channels, number, rank):
    """Float32 eigenvectors from LAPACK are NaN, or do not converge, on some of these."""
    generator = torch.Generator().manual_seed(channels + rank)
    spread = torch.exp2(torch.randint(-12, 1, (number, channels, 1), generator=generator).float())
    kept = torch.rand(number, channels, 1, generator=generator) < 0.6
    factor = torch.randn(number, channels, rank, generator=generator) * spread * kept * scale
    covariance, mean = factor @ factor.mT, torch.zeros(number, channels)
    found = paired_wasserstein2(mean, covariance, mean, torch.zeros_like(covariance))
    torch.testing.assert_close(found, factor.square().sum((1, 2)), atol=1e-30, rtol=1e-5)
    assert paired_wasserstein2(mean, covariance, mean, covariance).max() <= 1e-4 * found.max()


def test_identical_regions_are_at_distance_zero_and_at_rest():
    one, _ = maps(16)
    one.requires_grad_()
    moments = region_moments(one, strips((24, 32), 4, 12, 16))
    distance = paired_wasserstein2(moments.mean, moments.covariance, moments.mean.detach(), moments.covariance.detach())
    assert distance.max() < 1e-3
    distance.sum().backward()
    assert one.grad.abs().max() < 1e-3


def test_properties():
    sets = pair_of_sets(12, (2, 3, 5, 6))
    distance = wasserstein2(*sets)
    torch.testing.assert_close(distance, wasserstein2(*sets[2:], *sets[:2]).T, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(paired_wasserstein2(*sets), distance.diagonal(), rtol=1e-5, atol=1e-5)
    scaled = (sets[0] * 100, sets[1] * 1e4, sets[2] * 100, sets[3] * 1e4)
    torch.testing.assert_close(wasserstein2(*scaled), distance * 1e4, rtol=1e-4, atol=1e-1)
    diagonal = tuple(torch.diag_embed(x.diagonal(dim1=1, dim2=2)) if x.dim() == 3 else x for x in sets)
    torch.testing.assert_close(wasserstein2(*diagonal), diagonal_wasserstein2(*sets), rtol=1e-4, atol=1e-5)


def test_one_set_with_itself_agrees_with_two_sets():
    mean, covariance, _, _ = (x.double() for x in pair_of_sets(40, (1, 2, 3, 4, 5, 6, 7, 8)))
    for mode in ("exact", "fast"):
        gradients = []
        for same in (True, False):
            m, s = mean.clone().requires_grad_(), covariance.clone().requires_grad_()
            other = s if same else s * 1
            distance = wasserstein2(m, s, m, other, mode=mode, nearest=2)
            (distance * torch.arange(64).view(8, 8)).sum().backward()
            gradients.append((distance.detach(), m.grad, s.grad))
        if mode == "exact":
            for one, two in zip(*gradients, strict=True):
                torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
        else:
            torch.testing.assert_close(gradients[0][0], gradients[1][0], rtol=2e-2, atol=1e-4)


def test_fast_mode_is_exact_where_promised_and_close_elsewhere():
    sets = pair_of_sets(40, (2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
    exact, fast = (wasserstein2(*sets, mode=mode, nearest=2) for mode in ("exact", "fast"))
    agree = torch.isclose(exact, fast, rtol=1e-4)
    assert agree.diagonal().all()
    assert (agree.sum(1) >= 2).all()
    assert (agree.sum(0) >= 2).all()
    assert not agree.all()
    assert ((fast - exact).abs() / exact).median() < 0.1
    chosen = torch.arange(9, -1, -1)
    assert torch.isclose(exact, wasserstein2(*sets, mode="fast", nearest=1, positives=chosen), rtol=1e-4)[
        torch.arange(10), chosen
    ].all()
    everything = wasserstein2(*sets, mode="fast", nearest=10)
    torch.testing.assert_close(everything, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("decay", "sharpness"), [(0.0, 8), (1.0, 8), (1.0, 32)])
def test_fast_gradient_points_the_same_way(decay, sharpness):
    size = (32, 48)
    regions = (torch.arange(32)[:, None] // 8 * 6 + torch.arange(48) // 8)[None]
    gradients = []
    for mode in ("exact", "fast"):
        one, two = maps(40, size, decay=decay)
        one.requires_grad_()
        a, b = region_moments(one, regions), region_moments(two, regions)
        distance = wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode=mode)
        temperature = wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode="exact").detach().median()
        contrast(distance, temperature / sharpness).backward()
        gradients.append(one.grad)
    assert cosine(*gradients) > 0.995


def test_auto_is_exact_for_few_channels_or_few_regions():
    for sets in (pair_of_sets(32, (1,) * 24), pair_of_sets(40, (2,) * 20)):
        assert torch.equal(wasserstein2(*sets), wasserstein2(*sets, mode="exact"))
    many = pair_of_sets(40, (1,) * 24)
    assert torch.equal(wasserstein2(*many), wasserstein2(*many, mode="fast"))
    assert not torch.equal(wasserstein2(*many), wasserstein2(*many, mode="exact"))


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_mask(mode):
    sets = pair_of_sets(36, (2, 3, 4, 5, 6))
    leaves = [x.requires_grad_() for x in sets]
    image = torch.tensor([0, 0, 0, 1, 1])
    mask = image[:, None] == image
    distance = wasserstein2(*leaves, mode=mode, mask=mask, nearest=5)
    torch.testing.assert_close(distance[mask], wasserstein2(*sets, mode="exact")[mask], rtol=1e-4, atol=1e-5)
    assert distance[~mask].isinf().all()
    contrast(distance, 1.0).backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves)


def test_a_detached_side_gets_no_gradient_and_changes_none():
    sets = pair_of_sets(8, (2, 4, 6))
    both, left = ([x.clone().requires_grad_() for x in sets] for _ in range(2))
    wasserstein2(*both).sum().backward()
    wasserstein2(*left[:2], *sets[2:]).sum().backward()
    for one, two in zip(both[:2], left[:2], strict=True):
        torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.parametrize("distance", [wasserstein2, gaussian_kl, diagonal_wasserstein2, mean_distance])
def test_autocast_does_not_lower_precision(distance):
    sets = pair_of_sets(40, (2,) * 24)
    leaves = [x.clone().requires_grad_() for x in sets]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = distance(*leaves)
        assert found.dtype == torch.float32
        found.mean().backward()
    assert torch.equal(found, distance(*sets))
    assert leaves[0].grad.isfinite().all()


def test_broken_regions_give_nan_and_no_exception():
    mean, covariance, other, spread = pair_of_sets(6, (2, 3, 4))
    covariance[1, 0, 0] = torch.nan
    found = wasserstein2(mean, covariance, other, spread)
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()


def test_no_regions_at_all():
    mean, covariance = torch.zeros(0, 5, requires_grad=True), torch.zeros(0, 5, 5, requires_grad=True)
    for mode in ("exact", "fast"):
        distance = wasserstein2(mean, covariance, torch.zeros(3, 5), torch.zeros(3, 5, 5), mode=mode)
        assert distance.shape == (0, 3)
        distance.sum().backward()
    assert paired_wasserstein2(mean, covariance, mean, covariance).shape == (0,)


def test_errors_tell_the_remedy():
    mean, covariance = torch.zeros(2, 3), torch.zeros(2, 3, 3)
    with pytest.raises(ValueError, match=r"pass \(A, C\)"):
        wasserstein2(mean, covariance[:, :2], mean, covariance)
    with pytest.raises(ValueError, match="choose one of auto, exact, fast"):
        wasserstein2(mean, covariance, mean, covariance, mode="quick")
    with pytest.raises(ValueError, match="one entry per pair"):
        wasserstein2(mean, covariance, mean, covariance, mask=torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="as many on both sides"):
        paired_wasserstein2(mean, covariance, mean[:1], covariance[:1])


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of the compiler, where a graph ends
def test_compiled_code_can_call_them():
    features = torch.randn(1, 4, 12, 16, generator=torch.Generator().manual_seed(0))
    regions = torch.arange(12 * 16).view(1, 12, 16) // 32

    def spread(x):
        mean, covariance = region_moments(2 * x, regions)[:2]
        return wasserstein2(mean, covariance, mean, covariance).sum() + 1

    grads = []
    for function in (spread, torch.compile(spread, backend="aot_eager")):
        leaf = features.clone().requires_grad_()
        function(leaf).backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[1], grads[0])
