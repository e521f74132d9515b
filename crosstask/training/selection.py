"""Which checkpoint is the best: decided on the validation split, never on the test split."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from crosstask.errors import UserError, nearest
from crosstask.evaluation.results import Results


@dataclass
class Selection:
    """Remembers the best evaluation.

    The score is the value of ``monitor`` (TASK/METRIC), signed so that more is better, or, without one, the mean over
    tasks of the relative gain of each task's primary metric over the *first* evaluation,
    ``mean_t s_t (m_t - m_t0) / max(|m_t0|, scale_t)`` with s_t = +1 where more is better and -1 where less is. The
    scale of a metric (100 for percentages, see :class:`~crosstask.tasks.metric.Metric`) keeps a task whose first value
    was 0 or tiny from deciding alone. Metrics nobody could measure are left out.
    """

    monitor: str | None = None
    first: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_iteration: int = -1
    misses: int = 0

    def score(self, results: Results) -> float:
        """The score of an evaluation.

        Raises:
            UserError: ``monitor`` names no metric.
        """
        if self.monitor is not None:
            return self._monitored(results, self.monitor)
        gains = []
        for name, task in results.tasks.items():
            if math.isnan(task.score):
                continue
            first = self.first.setdefault(name, task.score)
            gains.append(task.numbers[task.primary].better * (task.score - first) / max(abs(first), task.scale, 1e-12))
        return sum(gains) / len(gains) if gains else -math.inf

    def _monitored(self, results: Results, monitor: str) -> float:
        task, _, metric = monitor.partition("/")
        if task not in results.tasks or metric not in results.tasks[task].numbers:
            valid = [f"{name}/{number}" for name, entry in results.tasks.items() for number in entry.numbers]
            raise UserError(f"training.monitor: {monitor!r} is not measured; {nearest(monitor, valid)}")
        number = results.tasks[task].numbers[metric]
        return number.value * (number.better or 1)

    def update(self, score: float, iteration: int) -> bool:
        """Whether this evaluation is the best so far."""
        if not math.isnan(score) and (self.best is None or score > self.best):
            self.best, self.best_iteration, self.misses = score, iteration, 0
            return True
        self.misses += 1
        return False

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {
            "first": dict(self.first),
            "best": self.best,
            "best_iteration": self.best_iteration,
            "misses": self.misses,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.first = dict(state["first"])
        self.best, self.best_iteration, self.misses = state["best"], state["best_iteration"], state["misses"]
