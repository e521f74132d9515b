"""GradNorm: Chen, Badrinarayanan, Lee and Rabinovich, "GradNorm: Gradient Normalization for Adaptive Loss Balancing in
Deep Multitask Networks", ICML 2018, algorithm 1.

With g_i the norm of the gradient of term i at the last shared layer, before weighing:

    G_i = w_i g_i,   r_i = (L_i / L_i(0)) / mean_j (L_j / L_j(0)),   L_grad = sum_i | G_i - mean_j(G_j) r_i^alpha |

The weights take a step on L_grad, its targets held constant, and are scaled so that their sum stays what it was. A term
that learns slowly (r_i above 1) is so given a larger gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from crosstask.balancing.adam import NamedAdam
from crosstask.balancing.base import Adaptive, Means
from crosstask.balancing.watch import last_layer
from crosstask.ranges import Factor

FLOOR = 0.01


class GradNorm(Adaptive):
    """Weights that bring the gradients of the terms to norms that fit how fast each one learns.

    Means, rates and sums are over the terms that are present in a step; absent ones keep their weights. L_i(0) is the
    loss of the first step a term is present in. The last shared layer is the last convolution or linear layer of the
    network's encoder. Weights stay at 0.01 or above: the paper's could become negative.

    Terms without a gradient there, or without a positive loss, count as absent.

    >>> import torch
    >>> balancer = GradNorm()
    >>> balancer.look({"depth": torch.tensor([9.0]), "semantic": torch.tensor([1.0])})
    >>> balancer.learn(lambda: {"depth": 1.0, "semantic": 1.0})
    >>> balancer.weight("depth") < 1 < balancer.weight("semantic")
    True

    Args:
        alpha: how strongly slow terms are favoured; 0 makes all norms equal. The paper uses 1.5 for NYU-v2.
        rate: learning rate of the weights (Adam).
        objectives: the objectives whose terms are balanced; those of others have the weight 1. All where null.
    """

    def __init__(self, alpha: Factor = 1.5, rate: Factor = 0.025, objectives: Sequence[str] | None = None) -> None:
        super().__init__(objectives)
        if rate <= 0:
            raise ValueError(f"balancing.rate must be more than 0, found {rate}")
        self.alpha = alpha
        self.factors = NamedAdam(rate, 1.0)
        self.first: dict[str, float] = {}
        self.norms: dict[str, float] = {}

    @override
    def weight(self, name: str) -> float:
        return self.factors.value(name)

    @override
    def watched(self, network: nn.Module) -> list[nn.Parameter]:
        return [last_layer(network, "gradnorm")]

    @override
    def look(self, gradients: dict[str, Tensor]) -> None:
        self.norms = {name: float(vector.norm()) for name, vector in gradients.items()}

    @override
    def learn(self, means: Means) -> None:
        losses = {name: mean for name, mean in means().items() if self.norms.get(name, 0.0) > 0 and mean > 0}
        for name, loss in losses.items():
            self.first.setdefault(name, loss)
        if len(losses) < 2:
            return
        weighted = {name: self.weight(name) * self.norms[name] for name in losses}
        remaining = {name: loss / self.first[name] for name, loss in losses.items()}
        norm, rest = (sum(values.values()) / len(losses) for values in (weighted, remaining))
        before = sum(self.weight(name) for name in losses)
        for name in losses:
            excess = weighted[name] - norm * (remaining[name] / rest) ** self.alpha
            self.factors.step(name, self.norms[name] * ((excess > 0) - (excess < 0)))
        after = sum(max(self.weight(name), FLOOR) for name in losses)
        for name in losses:
            self.factors.set(name, max(self.weight(name), FLOOR) * before / after)

    @override
    def weights(self) -> dict[str, float]:
        return {name: self.weight(name) for name in self.factors.state}

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"factors": self.factors.state, "first": self.first}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.factors.state, self.first = state["factors"], state["first"]
