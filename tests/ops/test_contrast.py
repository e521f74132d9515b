import math

import pytest
import torch

from crosstask.ops.contrast import info_nce


def made():
    generator = torch.Generator().manual_seed(0)
    positive, negative = torch.rand(4, generator=generator), torch.rand(4, 6, generator=generator)
    mask = torch.rand(4, 6, generator=generator) < 0.6
    mask[2] = False
    return positive.double(), negative.double(), mask


def test_equals_the_sum_of_exponentials():
    positive, negative, mask = made()
    found = info_nce(positive, negative, mask, 0.3)
    for anchor in range(4):
        own = math.exp(-positive[anchor] / 0.3)
        others = sum(math.exp(-d / 0.3) for d, wanted in zip(negative[anchor], mask[anchor], strict=True) if wanted)
        assert found[anchor].item() == pytest.approx(-math.log(own / (own + others)))
    assert found[2] == 0


@pytest.mark.parametrize("unwanted", [math.inf, math.nan])
def test_what_is_no_negative_may_hold_anything_even_for_a_learned_temperature(unwanted):
    positive, negative, mask = made()
    gradients = []
    for values in (negative, negative.masked_fill(~mask, unwanted)):
        leaves = [positive.clone().requires_grad_(), values.clone().requires_grad_()]
        temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        info_nce(*leaves, mask, temperature).sum().backward()
        gradients.append([leaf.grad for leaf in (*leaves, temperature)])
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[0][2] != 0


def test_gradient():
    positive, negative, mask = (x.requires_grad_() if x.is_floating_point() else x for x in made())
    temperature = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, n, t: info_nce(p, n, mask, t), (positive, negative, temperature))
