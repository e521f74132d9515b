from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from crosstask.ops.film import norm_film_relu


@pytest.mark.parametrize("index", [None, [0, 1, 2, 3], [2, 0, 2, 3, 2, 0]])
def test_values_and_gradients_are_those_of_the_separate_operations(index):
    rng = torch.Generator().manual_seed(0)
    maps = (3 + torch.randn(4, 5, 6, 9, dtype=torch.float64, generator=rng)).requires_grad_()
    count = 4 if index is None else len(index)
    scale, shift = (torch.randn(count, 5, dtype=torch.float64, generator=rng).requires_grad_() for _ in range(2))
    gradient = torch.randn(count, 5, 6, 9, dtype=torch.float64, generator=rng)
    given = None if index is None else torch.tensor(index)
    found, mean, var = norm_film_relu(maps, scale, shift, index=given)
    chosen = maps if given is None else maps[given]
    normal = F.batch_norm(chosen, None, None, training=True)
    expected = F.relu(scale[..., None, None] * normal + shift[..., None, None])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(mean, chosen.mean((0, 2, 3)))
    torch.testing.assert_close(var, chosen.var((0, 2, 3), correction=0))
    assert not mean.requires_grad
    assert not var.requires_grad
    for mine, theirs in zip(
        torch.autograd.grad(found, (maps, scale, shift), gradient),
        torch.autograd.grad(expected, (maps, scale, shift), gradient),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)
