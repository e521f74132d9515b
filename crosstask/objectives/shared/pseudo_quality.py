"""How good pseudo-labels are, measured on labels that exist but are hidden from training (``data.hidden``)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.tasks.base import Task


class PseudoQuality(nn.Module):
    """Coverage of the pseudo-labels of a task, and the numbers of its metric where they cover hidden labels.

    What was added since the last reading is in the ``state_dict``, so that a resumed run reads the same numbers.

    Args:
        task: the task.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self._metric = task.metric()
        self._covered = self._unknown = torch.zeros((), dtype=torch.long)

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"covered": self._covered, "unknown": self._unknown, "rows": list(self._metric.rows)}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self._covered, self._unknown = state["covered"], state["unknown"]
        self._metric.rows = list(state["rows"])

    def add(self, target: Tensor, covered: Tensor, unknown: Tensor, hidden: Tensor | None) -> None:
        """Add a batch.

        Args:
            target: the pseudo-labels, in the format of a target.
            covered: which entries have a pseudo-label, bool in the shape of the known mask.
            unknown: which entries could have one.
            hidden: the hidden targets; None where there are none.
        """
        self._covered = self._covered + covered.sum().detach()
        self._unknown = self._unknown + unknown.sum().detach()
        if hidden is not None:
            within = covered if covered.ndim == hidden.ndim else covered.unsqueeze(1)
            prediction = self.task.invert(self.task.values(target))
            self._metric.update(prediction, hidden.where(within, self.task.target_type.UNKNOWN))

    def read(self) -> dict[str, float]:
        """``TASK/coverage`` and ``TASK/METRIC`` since the last call; NaN where there was nothing to measure."""
        numbers = {"coverage": float(self._covered / self._unknown)}
        if self._metric.rows:
            numbers |= self._metric.compute()
        self._metric = self.task.metric()
        self._covered = self._unknown = torch.zeros((), dtype=torch.long)
        return {f"{self.task.name}/{name}": value for name, value in numbers.items()}
