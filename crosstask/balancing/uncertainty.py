"""Homoscedastic uncertainty: Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
Geometry and Semantics", CVPR 2018.

With s_i = log sigma_i² learned per term, from 0:

    L = sum_i exp(-s_i) L_i + s_i / 2                                                      (eq. 10, for every term)

The paper has exp(-s_i) / 2 where the likelihood is a Gaussian (eq. 7). That is the same balance reached from another
start: in either form s_i settles where the weighted loss is 1/2, whatever the scale of the loss, so that a constant
weight of an objective has no lasting effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from crosstask.balancing.adam import NamedAdam
from crosstask.balancing.base import Adaptive, Means
from crosstask.ranges import Factor


class Uncertainty(Adaptive):
    """Weights exp(-s), with s learned by gradient descent on the loss of the module docstring.

    Published code leaves s to the optimiser of the network and pads the loss of an absent term with 0: the gradient of
    s is then 1/2 in each such step, and the weight of a rare term grows without bound. Here s moves in the steps its
    term is present in. Each has an Adam of its own, with a constant rate: momentum of a common one would move it on.

    Terms whose mean is not positive are left as they are: no s fits them.

    >>> balancer = Uncertainty(rate=0.1)
    >>> balancer.learn(lambda: {"depth": 8.0})  # normals are absent from this step: their weight stays
    >>> balancer.weight("depth") < 1, balancer.weight("normals")
    (True, 1.0)

    Args:
        rate: learning rate of s.
        objectives: the objectives whose terms are balanced; those of others have the weight 1. All where null.
    """

    def __init__(self, rate: Factor = 0.005, objectives: Sequence[str] | None = None) -> None:
        super().__init__(objectives)
        if rate <= 0:
            raise ValueError(f"balancing.rate must be more than 0, found {rate}")
        self.logarithms = NamedAdam(rate, 0.0)

    @override
    def weight(self, name: str) -> float:
        return math.exp(-self.logarithms.value(name))

    @override
    def learn(self, means: Means) -> None:
        for name, mean in means().items():
            if self.balanced(name) and mean > 0:
                self.logarithms.step(name, 0.5 - self.weight(name) * mean)

    @override
    def weights(self) -> dict[str, float]:
        return {name: self.weight(name) for name in self.logarithms.state}

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"logarithms": self.logarithms.state}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.logarithms.state = state["logarithms"]
