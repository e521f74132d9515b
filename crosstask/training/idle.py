"""Tells of pseudo-labels that are never used."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

PATIENCE = 300
"""Iterations without a single pseudo-label before a word is said."""


class IdleLabels:
    """Warns, once each, of pseudo-labels none of which was confident enough for long: they teach nothing."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._told: set[str] = set()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"since": dict(self._since), "told": sorted(self._told)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self._since, self._told = dict(state["since"]), set(state["told"])

    def look(self, iteration: int, measures: Mapping[str, float]) -> None:
        """Look at the measures since the last look; those named ``OBJECTIVE/.../coverage`` count."""
        for name, value in measures.items():
            if not name.endswith("/coverage"):
                continue
            if value != 0:
                self._since[name] = iteration
            elif name not in self._told and iteration - self._since.setdefault(name, iteration) >= PATIENCE:
                self._told.add(name)
                log.warning(
                    "objectives.%s: %s was 0 for %d iterations: no pseudo-label is confident enough to be used; lower "
                    "its threshold, or train longer before it is expected to help",
                    name.split("/")[0],
                    name,
                    iteration - self._since[name],
                )
