"""What a teacher is: someone with opinions on an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from crosstask.data.sample import Sample
from crosstask.tasks.base import Task
from crosstask.tasks.fusion import Fused


class Teacher(Protocol):
    """Labels images for some tasks.

    Attributes:
        name: said in the column ``TASK.source``.
    """

    name: str

    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        """By task the opinions on an image, on the CPU: values (V, C, H, W), or (V, C), of ``Task.activate``, at the
        size of the image, NaN where there is none. V is the number of views."""


@dataclass(frozen=True)
class Trusted:
    """A teacher of one task, and how far it is trusted.

    Attributes:
        teacher: the teacher.
        weight: factor of its confidence, a number or one for each class (C,), in [0, 1].
    """

    teacher: Teacher
    weight: Tensor = field(default_factory=lambda: torch.ones(()))


def opinion(task: Task, sample: Sample, teachers: list[Trusted], seen: dict[int, dict[str, Tensor]]) -> Fused:
    """What the teachers of a task say together, each view with one say; ``seen`` keeps what each says of this image for
    the other tasks."""
    views = []
    for each in teachers:
        if id(each.teacher) not in seen:
            seen[id(each.teacher)] = each.teacher(sample)
        views.append(seen[id(each.teacher)][task.name].float())
    fused = task.fuse(torch.cat(views))
    trust = torch.stack([_of(each.weight, fused.value) for each in teachers]).mean(0)
    return fused._replace(confidence=fused.confidence * trust)


def _of(weight: Tensor, value: Tensor) -> Tensor:
    """The factor of each entry of a value: that of its class where there is one for each."""
    return weight if weight.ndim == 0 else weight[value.clamp(min=0).long()]
