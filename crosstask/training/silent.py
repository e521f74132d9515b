"""Tells of terms that have nothing to learn from, whatever objective they belong to."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

PATIENCE = 300
"""Iterations in which a term counted nothing before a word is said; half of the run where that is less."""


class SilentTerms:
    """Warns, once each, of terms that were nothing at all for long, though their objective has a weight.

    Args:
        iterations: length of the run; long by default.
    """

    def __init__(self, iterations: int = 2 * PATIENCE) -> None:
        self.patience = max(min(PATIENCE, iterations // 2), 1)
        self._begun = 0
        self._since: dict[str, int] = {}
        self._told: set[str] = set()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"begun": self._begun, "since": dict(self._since), "told": sorted(self._told)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self._begun, self._since, self._told = int(state["begun"]), dict(state["since"]), set(state["told"])

    def begin(self, iteration: int) -> None:
        """Look from ``iteration`` on, whatever was before: for checkpoints that do not know of silence."""
        self._begun, self._since, self._told = iteration, {}, set()

    def look(self, iteration: int, means: Mapping[str, float], weights: Mapping[str, float]) -> None:
        """Look at the means since the last look.

        Args:
            iteration: steps taken in the run.
            means: by ``OBJECTIVE/TERM``; NaN where nothing was counted. An exact 0 is taken for nothing as well: where
                terms are averaged over all images, those without labels count.
            weights: what each objective weighs.
        """
        for name, mean in means.items():
            objective, term = name.split("/", 1)
            if not weights[objective] or not (mean == 0 or math.isnan(mean)):
                self._since[name] = iteration
                continue
            silent = iteration - self._since.get(name, self._begun)
            if silent >= self.patience and name not in self._told:
                self._told.add(name)
                log.warning(
                    "objectives.%s: %s was nothing in %d iterations: no image of them has what it learns from; see "
                    "what is labelled with 'crosstask check', or leave the objective out",
                    objective,
                    term,
                    silent,
                )
