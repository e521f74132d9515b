"""Batch work: a function of many independent items, on processes of this machine or on Ray."""

from crosstask.engine.engine import Engine
from crosstask.engine.outcome import Outcome

__all__ = ["Engine", "Outcome"]
