"""Tells of terms that have nothing to learn from, whatever objective they belong to."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

log = logging.getLogger(__name__)

PATIENCE = 300
"""Iterations in which a term counted nothing before a word is said; half of the run where that is less."""


class SilentTerms:
    """Warns, once each, of terms that were nothing at all for long, though their objective has a weight.

    Args:
        iterations: length of the run.
    """

    def __init__(self, iterations: int) -> None:
        self.patience = max(min(PATIENCE, iterations // 2), 1)
        self._silent: dict[str, int] = {}
        self._told: set[str] = set()

    def look(self, steps: int, means: Mapping[str, float], weights: Mapping[str, float]) -> None:
        """Look at the means of the last ``steps`` iterations.

        Args:
            steps: how many.
            means: by ``OBJECTIVE/TERM``; NaN where nothing was counted. An exact 0 is taken for nothing as well: where
                terms are averaged over all images, those without labels count.
            weights: what each objective weighs.
        """
        for name, mean in means.items():
            objective, term = name.split("/", 1)
            if not weights[objective] or not (mean == 0 or math.isnan(mean)):
                self._silent[name] = 0
                continue
            self._silent[name] = self._silent.get(name, 0) + steps
            if self._silent[name] >= self.patience and name not in self._told:
                self._told.add(name)
                log.warning(
                    "objectives.%s: %s was nothing in %d iterations: no image of them has what it learns from; see "
                    "what is labelled with 'crosstask check', or leave the objective out",
                    objective,
                    term,
                    self._silent[name],
                )
