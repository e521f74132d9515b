"""One task of each kind, with predictions and targets that know some entries and not others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.tasks import KINDS, Task

OPTIONS: dict[str, list[dict]] = {
    "segmentation": [
        {"classes": 5},
        {"classes": ["a", "b", "c", "d", "e"], "class_weights": [1.0, 0.5, 2.0, 0.0, 1.0], "label_smoothing": 0.1},
    ],
    "depth": [{}, {"loss": "log", "typical": 2.0}, {"loss": "scale_invariant"}],
    "disparity": [{}],
    "normals": [{}, {"negate": "yz"}],
    "saliency": [{"ignore": 77}],
    "tags": [{"classes": ["cat", "dog", "sofa"]}],
    "category": [{"classes": 4}, {"classes": 4, "class_weights": [1.0, 2.0, 0.5, 3.0], "label_smoothing": 0.2}],
    "scalars": [{"names": ["valence", "arousal"]}, {"names": 2, "loss": "smooth_l1"}],
}
CASES = [(kind, number) for kind, options in OPTIONS.items() for number in range(len(options))]
ADDITIVE = [case for case in CASES if case != ("scalars", 0)]
"""All but CCC, which describes a batch."""
SIZE = (6, 8)


def make(kind: str, number: int = 0) -> Task:
    return KINDS[kind](kind, **OPTIONS[kind][number])


def prediction(task: Task, batch: int = 4, seed: int = 0) -> Tensor:
    shape = (batch, task.channels, *(SIZE if task.dense else ()))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def target(task: Task, batch: int = 4, seed: int = 1, unknown: float = 0.3) -> Tensor:
    """A batch of targets of which the share ``unknown`` is not known, among it the whole of sample 1."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, *task.shape(SIZE))
    if not task.unknown(SIZE).is_floating_point():
        full = torch.randint(task.channels, shape, generator=generator)
    elif task.kind == "normals":
        full = F.normalize(torch.randn(shape, generator=generator), dim=1)
    elif task.kind == "tags":
        full = torch.randint(2, shape, generator=generator).float()
    else:
        full = torch.rand(shape, generator=generator)
    full = full * 5 + 0.1 if task.kind in ("depth", "disparity") else full
    entries = (batch, 1, *shape[2:]) if task.dense and len(shape) == 4 else shape
    holes = torch.rand(entries, generator=generator) < unknown
    holes[1] = True
    return full.masked_fill(holes, task.target_type.UNKNOWN)


def weight(task: Task, batch: int = 4, seed: int = 2) -> Tensor:
    return torch.rand((batch, *(SIZE if task.dense else ())), generator=torch.Generator().manual_seed(seed))
