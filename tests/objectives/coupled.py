"""A step with predictions that are parameters, for objectives that look at predictions and labels alone."""

from __future__ import annotations

import torch
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.objectives import Step
from crosstask.relatedness import read_relatedness
from crosstask.tasks import KINDS, Task

BASIC = read_relatedness("du2014_basic")


def affect() -> dict[str, Task]:
    """Expressions, action units, and two numbers."""
    return {
        "expression": KINDS["category"]("expression", classes=list(BASIC.classes)),
        "units": KINDS["tags"]("units", classes=list(BASIC.attributes)),
        "mood": KINDS["scalars"]("mood", names=["valence", "arousal"]),
    }


def places() -> dict[str, Task]:
    """Two categories."""
    return {
        "room": KINDS["category"]("room", classes=["bath", "den", "hall"]),
        "use": KINDS["category"]("use", classes=["private", "public"]),
    }


def step(predictions: dict[str, Tensor], targets: dict[str, Tensor]) -> Step:
    """A step without images."""
    size = len(next(iter(predictions.values())))
    batch = Batch(torch.zeros(size, 3, 4, 4), targets, [str(i) for i in range(size)], None, torch.zeros(size, 4), {})
    return Step(batch, None, predictions, [], 0, 10)  # type: ignore[arg-type]


def random_predictions(tasks: dict[str, Task], size: int, seed: int = 0, scale: float = 1.0) -> dict[str, Tensor]:
    """Random predictions that require a gradient, (size, C) each."""
    rng = torch.Generator().manual_seed(seed)
    return {
        name: (scale * torch.randn(size, task.channels, generator=rng)).requires_grad_() for name, task in tasks.items()
    }


def unknown(tasks: dict[str, Task], size: int) -> dict[str, Tensor]:
    """Targets of which nothing is known."""
    return {
        name: torch.full((size,), -1) if task.kind == "category" else torch.full((size, task.channels), torch.nan)
        for name, task in tasks.items()
    }
