"""What training costs: time per step and memory."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch


@dataclass
class Stopwatch:
    """Time spent in steps since the last log line; evaluations and checkpoints do not count.

    Attributes:
        steps: optimiser steps.
        seconds: of these steps, loading included.
        waited: of these seconds, those spent waiting for data.
    """

    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0


def peak_memory(device: torch.device) -> int | None:
    """Most bytes held so far: allocated on a GPU, else resident in this process, libraries included but not processes
    that load data; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
