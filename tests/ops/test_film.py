from __future__ import annotations

import torch
from torch.nn import functional as F

from crosstask.ops.film import norm_film_relu


def test_values_and_gradients_are_those_of_the_separate_operations():
    rng = torch.Generator().manual_seed(0)
    maps = (3 + torch.randn(4, 5, 6, 9, dtype=torch.float64, generator=rng)).requires_grad_()
    scale, shift = (torch.randn(4, 5, dtype=torch.float64, generator=rng).requires_grad_() for _ in range(2))
    gradient = torch.randn(4, 5, 6, 9, dtype=torch.float64, generator=rng)
    found, mean, var = norm_film_relu(maps, scale, shift)
    normal = F.batch_norm(maps, None, None, training=True)
    expected = F.relu(scale[..., None, None] * normal + shift[..., None, None])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(mean, maps.mean((0, 2, 3)))
    torch.testing.assert_close(var, maps.var((0, 2, 3), correction=0))
    assert not mean.requires_grad
    assert not var.requires_grad
    for mine, theirs in zip(
        torch.autograd.grad(found, (maps, scale, shift), gradient),
        torch.autograd.grad(expected, (maps, scale, shift), gradient),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)
