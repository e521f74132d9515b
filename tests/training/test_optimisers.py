from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from crosstask.recipe.training import TrainingOptions
from crosstask.training.optimisers import build_optimiser, learning_rate
from tests.shared import shared


def test_warmup_is_linear_and_cosine_falls_to_zero():
    options = TrainingOptions(lr=1.0, warmup=10)
    rates = [learning_rate(i, 110, options) for i in range(111)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)


def test_poly_and_constant():
    assert learning_rate(50, 100, TrainingOptions(lr=2.0, schedule="poly")) == pytest.approx(2 * 0.5**0.9)
    assert learning_rate(99, 100, TrainingOptions(lr=2.0, schedule="constant")) == 2.0
    assert not math.isnan(learning_rate(100, 100, TrainingOptions(schedule="poly")))


def test_cycles_are_the_warm_restarts_and_steps_of_torch():
    """Of 20 epochs the rate falls along a cosine twice; of 200 epochs the second half has half the rate."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=10)
    expected = []
    for _ in range(20):
        expected += restarts.get_last_lr()
        optimiser.step()
        restarts.step()
    assert [learning_rate(i, 20, TrainingOptions(lr=1.0, cycles=2)) for i in range(20)] == pytest.approx(expected)
    halved = TrainingOptions(lr=1.0, schedule="step", cycles=3)
    assert [learning_rate(i, 6, halved) for i in range(7)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]
    warm = TrainingOptions(lr=1.0, schedule="step", cycles=2, warmup=2)
    assert [learning_rate(i, 6, warm) for i in range(6)] == [0.5, 1, 1, 1, 0.5, 0.5]


def test_poly_is_that_of_a_released_optimiser():
    archive = np.load(shared("fixtures/others/auxseg_poly_lr.npz"))
    options = TrainingOptions(lr=float(archive["lr"][0, 0]), schedule="poly")
    rates = [learning_rate(i, int(archive["max_step"]), options) for i in range(10)]
    assert rates == pytest.approx(archive["lr"][:10, 0])


def test_vectors_are_not_decayed_and_frozen_parameters_are_left_out():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    module[0].bias.requires_grad_(False)
    optimiser = build_optimiser(module, TrainingOptions(weight_decay=0.1))
    assert [(g["weight_decay"], [p.ndim for p in g["params"]]) for g in optimiser.param_groups] == [
        (0.1, [4]),
        (0.0, [1, 1]),
    ]
    assert isinstance(optimiser, torch.optim.AdamW)


@pytest.mark.parametrize(
    "wrong", [{"lr": 0}, {"batch_size": -1}, {"ema": 1.0}, {"warmup": -1}, {"clip": 0.0}, {"cycles": 0}]
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=f"training.{next(iter(wrong))}"):
        TrainingOptions(**wrong)
