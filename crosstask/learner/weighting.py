"""How much an objective counts, and from when."""

from __future__ import annotations

from dataclasses import dataclass

from crosstask.ranges import Count, Factor


@dataclass(frozen=True)
class Weighting:
    """How much an objective counts, and from when.

    Args:
        weight: factor on all terms of the objective.
        start: iterations before the objective begins to count.
        ramp: iterations over which the factor then rises linearly from 0.
        control: for studies: the objective sees labels of other images, as many as before. What it gains all the same
            does not come from what the labels say of their images.
    """

    weight: Factor = 1.0
    start: Count = 0
    ramp: Count = 0
    control: bool = False

    def at(self, iteration: int) -> float:
        """The factor at ``iteration``."""
        if iteration < self.start:
            return 0.0
        return self.weight * (min((iteration - self.start + 1) / self.ramp, 1.0) if self.ramp else 1.0)
