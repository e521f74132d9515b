from __future__ import annotations

import pytest
import torch
from torch import nn

from crosstask.balancing import GradNorm
from crosstask.errors import RecipeError
from crosstask.networks.segnet import SegNet
from crosstask.networks.small import SmallEncoder
from tests.training.toys import ToyNetwork, toy_tasks

VECTORS = {"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([1.0, 0.0]), "c": torch.tensor([0.0, 2.0])}
LOSSES = [{"a": 2.0, "b": 1.0, "c": 0.5}, {"a": 1.9, "b": 0.5, "c": 0.4}, {"a": 1.5, "b": 0.5, "c": 0.5}]


def run(balancer: GradNorm, losses: dict[str, float]) -> None:
    balancer.look({name: VECTORS[name] for name in losses})
    balancer.learn(lambda: losses)


def test_weights_follow_algorithm_1():
    alpha, rate = 1.2, 0.05
    balancer = GradNorm(alpha, rate)
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=rate)
    norms = torch.stack([vector.norm() for vector in VECTORS.values()]).double()
    for losses in LOSSES:
        run(balancer, losses)
        rates = torch.tensor([losses[name] / LOSSES[0][name] for name in VECTORS], dtype=torch.float64)
        weighted = weights * norms
        target = (weighted.mean() * (rates / rates.mean()) ** alpha).detach()
        optimiser.zero_grad()
        (weighted - target).abs().sum().backward()
        optimiser.step()
        weights.data *= 3 / weights.sum().item()
        for name, expected in zip(VECTORS, weights.tolist(), strict=True):
            assert balancer.weight(name) == pytest.approx(expected, rel=1e-9)
    assert balancer.weight("a") < 1 < balancer.weight("b")  # the largest gradient is made smaller


def test_absent_terms_keep_their_weights_and_the_sum_stays():
    balancer = GradNorm()
    run(balancer, LOSSES[0])
    kept = balancer.weight("b")
    for losses in LOSSES * 3:
        run(balancer, {name: loss for name, loss in losses.items() if name != "b"})
    assert balancer.weight("b") == kept
    assert sum(balancer.weights().values()) == pytest.approx(3)
    before = balancer.weights()
    run(balancer, {"a": 1.0})  # nothing to compare with
    run(balancer, {})
    balancer.look({"a": VECTORS["a"], "b": torch.zeros(2)})
    balancer.learn(lambda: {"a": 1.0, "b": 1.0})
    assert balancer.weights() == before


def test_weights_stay_positive():
    balancer = GradNorm(rate=0.5)
    for _ in range(50):
        run(balancer, LOSSES[0])
    assert min(balancer.weights().values()) > 0


def test_the_last_shared_layer_is_watched():
    network = nn.Module()
    network.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1), nn.BatchNorm2d(5))
    (watched,) = GradNorm().watched(network)
    assert watched is network.encoder[2].weight
    with pytest.raises(RecipeError, match=r"network\.encoder, but ToyNetwork"):
        GradNorm().watched(ToyNetwork(toy_tasks()))


@pytest.mark.parametrize("make", [lambda: SegNet((4, 4, 8, 8, 8)), SmallEncoder])
def test_the_layer_watched_is_the_last_that_computes(make):
    network = nn.Module()
    network.encoder = make()
    calls = []
    for module in network.encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, *_: calls.append(module))
    network.encoder(torch.rand(2, 3, 64, 64))
    assert GradNorm().watched(network)[0] is calls[-1].weight


def test_a_frozen_last_layer_is_passed_over():
    network = nn.Module()
    network.encoder = SegNet((4, 4, 8, 8, 8))
    network.encoder.last.requires_grad_(False)
    assert GradNorm().watched(network)[0].requires_grad
