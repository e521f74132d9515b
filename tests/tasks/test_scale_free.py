"""The loss of made depth against sums written out."""

import pytest
import torch

from crosstask.tasks import Depth
from crosstask.tasks.scale_free import SCALES, scale_free


def slow(prediction, target, weight, gradients):
    total = 0.0
    for p, t, w in zip(prediction[:, 0], target[:, 0], weight, strict=True):
        known = [(i, j) for i in range(p.shape[0]) for j in range(p.shape[1]) if w[i, j] > 0]
        d = {ij: float(p[ij].log() - t[ij].log()) for ij in known}
        amount = sum(float(w[ij]) for ij in known)
        spread = (
            sum(float(w[ij]) * d[ij] ** 2 for ij in known) - sum(float(w[ij]) * d[ij] for ij in known) ** 2 / amount
        )
        edges = 0.0
        for scale in range(SCALES):
            for step in ((0, 2**scale), (2**scale, 0)):
                ends = {ij: (ij[0] + step[0], ij[1] + step[1]) for ij in known}
                pairs = [(a, b, float(min(w[a], w[b]))) for a, b in ends.items() if b in d]
                if pairs:
                    edges += sum(m * abs(d[b] - d[a]) for a, b, m in pairs) / sum(m for _, _, m in pairs) / SCALES
        total += spread + gradients * amount * edges
    return total


def test_it_is_the_formula():
    generator = torch.Generator().manual_seed(0)
    prediction, target = (1 + torch.rand(2, 1, 5, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    weight = torch.rand(2, 5, 6, generator=generator, dtype=torch.float64)
    weight[weight < 0.3] = 0
    target[:, 0][weight == 0] = torch.nan
    found = scale_free(prediction, target, weight, 0.5)
    assert found.item() == pytest.approx(slow(prediction, target, weight, 0.5), rel=1e-9)


def test_only_the_scale_is_free():
    depth = 1 + torch.rand(1, 1, 8, 8)
    task = Depth("depth")
    assert task.made_loss(3 * depth, depth).mean().item() == pytest.approx(0, abs=1e-5)
    assert task.made_loss(depth + 1, depth).mean().item() > 1e-3


def test_without_labels_it_is_an_exact_zero_with_a_gradient():
    prediction = torch.rand(2, 1, 4, 4, requires_grad=True)
    term = Depth("depth").made_loss(prediction, torch.full((2, 1, 4, 4), torch.nan))
    term.total.backward()
    assert (term.total.item(), term.count.item()) == (0, 0)
    assert prediction.grad is not None
