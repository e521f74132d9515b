"""Dynamic weight average: Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019, eq. 7.

    w_k(t) = L_k(t - 1) / L_k(t - 2),    weight_k(t) = K exp(w_k(t) / T) / sum_i exp(w_i(t) / T)

L_k(t) is the mean loss of term k over period t, an epoch in the paper. A term whose loss falls slowly gets more weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from crosstask.balancing.base import Adaptive, Means
from crosstask.ranges import Positive, Steps


class DynamicWeightAverage(Adaptive):
    """Weights from how fast each term fell over the last two periods; they add up to the number of terms.

    A period is a number of steps, so that it means the same for any data set and number of processes. A term that was
    absent from a whole period keeps its last two means, and with them its ratio; in its first two it has the ratio 1.

    >>> balancer = DynamicWeightAverage(period=1)
    >>> for depth, semantic in [(4.0, 4.0), (1.0, 4.0)]:
    ...     balancer.learn(lambda: {"depth": depth, "semantic": semantic})
    >>> balancer.weight("semantic") > 1 > balancer.weight("depth")  # depth fell faster
    True

    Args:
        temperature: T; the higher, the nearer to equal weights.
        period: steps over which losses are averaged.
        objectives: the objectives whose terms are balanced; those of others have the weight 1. All where null.
    """

    def __init__(
        self, temperature: Positive = 2.0, period: Steps = 100, objectives: Sequence[str] | None = None
    ) -> None:
        super().__init__(objectives)
        for option, value in {"temperature": temperature, "period": period}.items():
            if value <= 0:
                raise ValueError(f"balancing.{option} must be more than 0, found {value}")
        self.temperature, self.period = temperature, period
        self.steps = 0
        self.sums: dict[str, list[float]] = {}
        self.last: dict[str, list[float]] = {}
        self.current: dict[str, float] = {}

    @override
    def weight(self, name: str) -> float:
        return self.current.get(name, 1.0)

    @override
    def learn(self, means: Means) -> None:
        for name, mean in means().items():
            if self.balanced(name) and mean > 0:
                total, count = self.sums.get(name, [0.0, 0])
                self.sums[name] = [total + mean, count + 1]
        self.steps += 1
        if self.steps % self.period == 0:
            for name, (total, count) in self.sums.items():
                self.last[name] = [*self.last.get(name, []), total / count][-2:]
            self.sums = {}
            self._weigh()

    def _weigh(self) -> None:
        ratios = {name: _ratio(*losses) / self.temperature for name, losses in self.last.items()}
        highest = max(ratios.values(), default=0.0)
        exponentials = {name: math.exp(ratio - highest) for name, ratio in ratios.items()}  # however large they are
        total = sum(exponentials.values())
        self.current = {name: len(exponentials) * value / total for name, value in exponentials.items()}

    @override
    def weights(self) -> dict[str, float]:
        return dict(self.current)

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "sums": self.sums, "last": self.last, "current": self.current}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.steps, self.sums, self.last, self.current = (state[key] for key in ("steps", "sums", "last", "current"))


def _ratio(before: float, last: float | None = None) -> float:
    """How much is left of a loss after a period; 1 where that cannot be told."""
    return 1.0 if last is None or before <= 0 else last / before
