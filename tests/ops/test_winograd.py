from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from crosstask.ops.winograd import conv3x3


@pytest.mark.parametrize("size", [(1, 1), (4, 8), (9, 14), (6, 3)])
def test_values_and_gradients_are_those_of_a_convolution(size):
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, *size, dtype=torch.float64, generator=rng).requires_grad_()
    weight = torch.randn(7, 5, 3, 3, dtype=torch.float64, generator=rng).requires_grad_()
    gradient = torch.randn(2, 7, *size, dtype=torch.float64, generator=rng)
    found, expected = conv3x3(maps, weight), F.conv2d(maps, weight, padding=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    for mine, theirs in zip(
        torch.autograd.grad(found, (maps, weight), gradient),
        torch.autograd.grad(expected, (maps, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)


def test_rounding_is_small_at_single_precision():
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 256, 12, 16, generator=rng)
    weight = torch.randn(128, 256, 3, 3, generator=rng) / 48
    exact = F.conv2d(maps.double(), weight.double(), padding=1)
    assert float((conv3x3(maps, weight) - exact).abs().max() / exact.abs().max()) < 2e-5
