from __future__ import annotations

import math

import pytest
import torch

from crosstask.balancing import Uncertainty

LOSSES = {"supervised/depth": 0.7, "supervised/semantic": 2.5}


def test_weights_are_those_of_gradient_descent_on_the_loss_of_the_paper():
    s = {name: torch.zeros((), dtype=torch.float64, requires_grad=True) for name in LOSSES}
    optimiser = torch.optim.Adam(s.values(), lr=0.02)
    balancer = Uncertainty(rate=0.02)
    for step in range(50):
        losses = {name: loss * (1 + 0.1 * math.sin(step)) for name, loss in LOSSES.items()}
        optimiser.zero_grad()
        sum((-s[name]).exp() * loss + s[name] / 2 for name, loss in losses.items()).backward()
        optimiser.step()
        balancer.learn(lambda losses=losses: losses)
        for name in LOSSES:
            assert balancer.weight(name) == pytest.approx(math.exp(-s[name].item()), rel=1e-9)


def test_they_settle_where_the_weighted_loss_is_a_half():
    balancer = Uncertainty(rate=0.01)
    for _ in range(1000):
        balancer.learn(lambda: LOSSES)
    for name, loss in LOSSES.items():
        assert balancer.weight(name) * loss == pytest.approx(0.5, rel=1e-3)


def test_steps_that_a_term_is_absent_from_leave_no_trace():
    always, rare = Uncertainty(), Uncertainty()
    for step in range(40):
        rare.learn(lambda step=step: LOSSES if step % 4 == 0 else {"supervised/depth": 0.7})
    for _ in range(10):
        always.learn(lambda: LOSSES)
    assert rare.weight("supervised/semantic") == always.weight("supervised/semantic") != 1
    assert rare.weight("supervised/depth") != always.weight("supervised/depth")


def test_losses_that_are_not_positive_and_other_objectives_are_left_alone():
    balancer = Uncertainty(objectives=["supervised"])
    for _ in range(10):
        balancer.learn(lambda: {"supervised/depth": 0.0, "supervised/semantic": -1.0, "contrast/regions": 3.0})
    assert balancer.weights() == {}
    assert balancer(dict.fromkeys(("supervised/depth", "contrast/regions"), torch.tensor(1.0))) == 2


def test_a_bad_rate_is_refused():
    with pytest.raises(ValueError, match=r"balancing\.rate"):
        Uncertainty(rate=0)
