"""How much what is said of one task contradicts what is said of another, of one image.

- depth and normals, given the camera: (1 - cos) / 2 of the angle between the normals and those of the depth
  (:func:`~crosstask.ops.geometry.normals_from_depth`), averaged over the image, in [0, 1];
- depth and disparity: their product is one number per camera, so the standard deviation of its logarithm;
- masks, tags and categories that share names of classes: the difference between the probabilities that a class is
  present, averaged over the shared names, in [0, 1]. A mask says a class is present as surely as the surest hundredth
  of its pixels does on average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks.base import Task

SIDE = 128
"""Maps are compared at no more than so many pixels on the longer side."""
_WINDOW = 7
_SURE = 0.01
_NAMED = ("segmentation", "tags", "category")


class Relation(NamedTuple):
    """Two tasks that say partly the same.

    Attributes:
        first: name of a task.
        second: name of the other.
        distance: values of both, (C, ...), and intrinsics (4,) to how far they are apart; NaN where nothing can be
            compared.
    """

    first: str
    second: str
    distance: Callable[[Tensor, Tensor, Tensor], float]


def relations(tasks: Mapping[str, Task]) -> list[Relation]:
    """The pairs of tasks that can contradict each other."""
    found = []
    for a, b in combinations(tasks.values(), 2):
        for first, second in ((a, b), (b, a)):
            if (first.kind, second.kind) == ("depth", "normals"):
                found.append(Relation(first.name, second.name, normals_apart))
            elif (first.kind, second.kind) == ("depth", "disparity"):
                found.append(Relation(first.name, second.name, product_apart))
        shared = [name for name in a.classes if name in b.classes]
        if a.kind in _NAMED and b.kind in _NAMED and shared:
            found.append(Relation(a.name, b.name, _Presence(a, b, shared)))
    return found


def disagreement(name: str, known: list[Relation], values: Mapping[str, Tensor], intrinsics: Tensor) -> float:
    """The mean distance of a task's value to those of the tasks it is related to; NaN where nothing can be compared.

    Args:
        name: the task.
        known: see :func:`relations`.
        values: of one image by task, (C, ...) in the format of ``Task.activate``; NaN unknown.
        intrinsics: (4,) of the image, NaN unknown.
    """
    own = [each for each in known if name in (each.first, each.second)]
    apart = torch.tensor([each.distance(values[each.first], values[each.second], intrinsics) for each in own])
    return float(apart.nanmean()) if len(own) else float("nan")


def normals_apart(depth: Tensor, normals: Tensor, intrinsics: Tensor) -> float:
    """Depth (1, H, W) against normals (3, H, W), (1 - cos) / 2 on average; NaN without a camera."""
    if not bool(intrinsics.isfinite().all()):
        return float("nan")
    step = -(-max(depth.shape[-2:]) // SIDE)
    fx, fy, cx, cy = (intrinsics / step).unbind(-1)
    derived = normals_from_depth(depth[..., ::step, ::step], torch.stack((fx, fy, cx, cy)), _WINDOW)
    cosine = (derived * normals[..., ::step, ::step]).sum(0)
    return float(((1 - cosine) / 2).nanmean())


def product_apart(depth: Tensor, disparity: Tensor, intrinsics: Tensor) -> float:
    """Depth against disparity (1, H, W): the spread of the logarithm of their product."""
    logarithm = depth.clamp(min=1e-6).log() + disparity.clamp(min=1e-6).log()
    known = logarithm[~logarithm.isnan()]
    return float(known.std(correction=0)) if len(known) else float("nan")


def presence(task: Task, value: Tensor) -> Tensor:
    """How probable it is that each class is present, (C,), by a value (C, ...); NaN where unknown."""
    if not task.dense:
        return value
    pixels = value.flatten(1)
    pixels = pixels[:, ~pixels.isnan().any(0)]
    if not pixels.shape[1]:
        return torch.full((len(value),), torch.nan)
    return pixels.topk(max(round(_SURE * pixels.shape[1]), 1), dim=1).values.mean(1)


class _Presence:
    """The distance of two tasks that share names of classes."""

    def __init__(self, first: Task, second: Task, shared: list[str]) -> None:
        self.tasks = first, second
        self.places = [[task.classes.index(name) for name in shared] for task in self.tasks]

    def __call__(self, first: Tensor, second: Tensor, intrinsics: Tensor) -> float:
        pairs = zip(self.tasks, (first, second), self.places, strict=True)
        one, other = (presence(task, value)[places] for task, value, places in pairs)
        return float((one - other).abs().nanmean())
