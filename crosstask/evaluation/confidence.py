"""How sure predictions are, as numbers and as files of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crosstask.tasks.base import Task


def confidences(tasks: Mapping[str, Task], views: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """How sure raw predictions (1, C, ...) of several views of one image are together: in [0, 1], (H, W) for dense
    tasks, one number for others."""
    sure = {}
    for name, task in tasks.items():
        confidence = task.fuse(torch.cat([task.activate(view[name].float()) for view in views])).confidence
        sure[name] = (confidence if task.dense else confidence.mean()).cpu()
    return sure


def stored_weight(confidence: Tensor) -> np.ndarray:
    """Confidence (H, W) in [0, 1] as a file of weights, uint8."""
    return (confidence * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
