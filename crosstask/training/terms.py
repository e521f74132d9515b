"""From the terms of micro-batches and ranks to exact means over the whole step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crosstask.tasks.term import Term


def share(term: Term, count: Tensor) -> Tensor:
    """The part of the step's mean that ``term`` contributes, given the ``count`` of the whole step."""
    return term.total / count.where(count > 0, torch.ones_like(count)).to(term.total.dtype)


class RunningMeans:
    """Means of terms over several steps, exact, kept on the device until they are read."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, terms: dict[str, Term]) -> None:
        """Add a micro-batch."""
        for name, (total, count) in terms.items():
            total, count = total.detach().float(), count.detach().float()
            before = self.sums.get(name)
            self.sums[name] = (total, count) if before is None else (before[0] + total, before[1] + count)

    def stacked(self) -> Tensor:
        """Totals and counts, (terms, 2), to be summed over ranks."""
        return torch.stack([torch.stack(pair) for pair in self.sums.values()])

    def state_dict(self) -> dict[str, Tensor]:
        """Total and count by term, (2,)."""
        return {name: torch.stack(pair) for name, pair in self.sums.items()}

    def load_state_dict(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """From a checkpoint."""
        self.sums = {name: (pair[0].to(device), pair[1].to(device)) for name, pair in state.items()}

    def read(self, summed: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        """Means and counts by term from ``summed`` (see :meth:`stacked`), and start anew. NaN where nothing counted."""
        names = list(self.sums)
        self.sums = {}
        pairs = dict(zip(names, summed.tolist(), strict=True))
        means = {name: total / count if count else float("nan") for name, (total, count) in pairs.items()}
        return means, {name: count for name, (_, count) in pairs.items()}
