from __future__ import annotations

import math

import pytest

from crosstask.balancing import DynamicWeightAverage


def test_weights_follow_equation_7():
    balancer = DynamicWeightAverage(temperature=2.0, period=2)
    losses = {"a": [4.0, 2.0, 1.0, 2.0], "b": [1.0, 1.0, 0.6, 0.6]}
    for step in range(4):
        assert balancer.weight("a") == balancer.weight("b") == 1  # two periods are needed for a ratio
        balancer.learn(lambda step=step: {name: values[step] for name, values in losses.items()})
    ratios = {"a": 1.5 / 3.0, "b": 0.6 / 1.0}
    total = sum(math.exp(ratio / 2) for ratio in ratios.values())
    for name, ratio in ratios.items():
        assert balancer.weight(name) == pytest.approx(2 * math.exp(ratio / 2) / total)
    assert balancer.weight("never seen") == 1


def test_a_term_that_is_absent_keeps_its_last_means():
    balancer = DynamicWeightAverage(period=1)
    for losses in ({"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 0.5}):
        balancer.learn(lambda losses=losses: losses)
    before = balancer.weights()
    assert before == {"a": pytest.approx(1), "b": pytest.approx(1)}
    balancer.learn(lambda: {"a": 0.5})  # still half of what it was; b is absent
    assert balancer.weights() == before
    balancer.learn(lambda: {"a": 0.5})  # no longer falling
    assert balancer.weight("a") > 1 > balancer.weight("b")
    assert sum(balancer.weights().values()) == pytest.approx(2)
    balancer.learn(dict)
    assert balancer.weight("a") > 1


def test_means_of_a_period_are_over_the_steps_a_term_was_present_in():
    balancer = DynamicWeightAverage(period=3)
    for losses in ({"a": 3.0}, {}, {"a": 1.0}):
        balancer.learn(lambda losses=losses: losses)
    assert balancer.last == {"a": [2.0]}


@pytest.mark.parametrize("options", [{"temperature": 0}, {"period": 0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=r"balancing\.\w+ must be more than 0"):
        DynamicWeightAverage(**options)


def test_a_loss_that_was_nearly_nothing_may_rise():
    balancer = DynamicWeightAverage(temperature=0.1, period=1)
    for losses in ({"a": 1e-9, "b": 1.0}, {"a": 0.3, "b": 1.0}):
        balancer.learn(lambda losses=losses: losses)
    assert balancer.weights() == pytest.approx({"a": 2, "b": 0})
