"""Adam (Kingma and Ba, 2015, algorithm 1) for a handful of named numbers."""

from __future__ import annotations

import math

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class NamedAdam:
    """Numbers by name, each with averages and a clock of its own: one that gets no gradient in a step stays exactly as
    it is, whereas in a common optimiser its momentum would move it on.

    >>> adam = NamedAdam(rate=0.1, initial=1.0)
    >>> adam.step("depth", 3.0)
    >>> round(adam.value("depth"), 3), adam.value("normals")
    (0.9, 1.0)

    Args:
        rate: learning rate.
        initial: what a number starts from.
    """

    def __init__(self, rate: float, initial: float) -> None:
        self.rate, self.initial = rate, initial
        self.state: dict[str, list[float]] = {}
        """By name: value, first moment, second moment, steps."""

    def value(self, name: str) -> float:
        """The number of this name."""
        return self.state[name][0] if name in self.state else self.initial

    def set(self, name: str, value: float) -> None:
        """Replace a number, without a trace in its averages."""
        self.state.setdefault(name, [self.initial, 0.0, 0.0, 0])[0] = value

    def step(self, name: str, gradient: float) -> None:
        """Move a number against its gradient."""
        value, first, second, steps = self.state.get(name, [self.initial, 0.0, 0.0, 0])
        steps += 1
        first = BETA1 * first + (1 - BETA1) * gradient
        second = BETA2 * second + (1 - BETA2) * gradient**2
        size = math.sqrt(second / (1 - BETA2**steps)) + EPSILON
        self.state[name] = [value - self.rate * first / (1 - BETA1**steps) / size, first, second, steps]
