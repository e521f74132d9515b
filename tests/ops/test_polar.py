import pytest
import torch

from crosstask.ops.polar import accurate_schedule, polar_factor, schedule


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("shape", [(12, 12), (20, 7), (7, 20)])
def test_agrees_with_singular_vectors(dtype, tolerance, shape):
    matrix = torch.randn(6, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    if shape[0] == shape[1]:
        matrix += 3 * torch.eye(*shape, dtype=dtype)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(polar_factor(matrix), left @ right, atol=tolerance, rtol=0)


def test_null_space_stays_zero():
    generator = torch.Generator().manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(10, 4, generator=generator)).Q for _ in range(2))
    matrix = (left * torch.tensor([1.0, 0.5, 0.1, 0.01])) @ right.T
    torch.testing.assert_close(polar_factor(matrix[None])[0], left @ right.T, atol=5e-3, rtol=0)
    assert (polar_factor(torch.zeros(2, 5, 5)) == 0).all()


def test_first_coefficients_of_the_published_table():
    """Amsel et al. list them for [1e-3, 1], without the safety factor."""
    (a, b, c), *_ = schedule(1e-3, 7)
    slack = 1.003
    assert (a * slack, b * slack**3, c * slack**5) == pytest.approx((8.4703, -25.1081, 18.6293), abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_schedule_equalises_everything_above_its_lower_end(dtype):
    low = {torch.float32: 5e-5, torch.float64: 1e-8}[dtype]
    value = torch.logspace(torch.tensor(low).log10().item(), 0, 5001, dtype=torch.float64) / 1.003
    for a, b, c in accurate_schedule(dtype):
        value = a * value + b * value**3 + c * value**5
    assert (value - 1).abs().max() < 1e-5


def test_hard_spectra_do_not_diverge():
    """Without the safety factor some of these end in NaN, in float32 already."""
    generator = torch.Generator().manual_seed(2)
    for decay in (0, 1, 2, 4):
        rotations = torch.linalg.qr(torch.randn(24, 2, 48, 48, generator=generator)).Q
        matrix = rotations[:, 0] * torch.arange(1, 49).float() ** -decay @ rotations[:, 1]
        norms = torch.linalg.vecdot(matrix.flatten(1), polar_factor(matrix).flatten(1))
        torch.testing.assert_close(norms, torch.linalg.svdvals(matrix).sum(-1), atol=0, rtol=2e-4)


@pytest.mark.parametrize("scale", [1e-8, 1e-12, 1e-17])
def test_small_matrices_have_the_same_factor(scale):
    """As those of nearly orthogonal regions: squares of their Gram matrix underflow."""
    matrix = torch.randn(6, 9, 5, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(polar_factor(matrix * scale), polar_factor(matrix), atol=1e-4, rtol=0)
    assert polar_factor(matrix * 1e-25).isfinite().all()
    assert polar_factor(matrix * 1e-42).isfinite().all()
