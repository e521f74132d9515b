"""Which evidence there is for each kind of task. A kind of your own joins by an entry of :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from crosstask.audit import evidence
from crosstask.audit.evidence import LOSS, Clue
from crosstask.tasks.base import Task

DISAGREEMENT, DUPLICATE = "disagreement", "duplicate"
_GEOMETRIC = (LOSS, "mirrored", "upside_down", "shifted")


class Kind(NamedTuple):
    """How labels of a kind are examined.

    Attributes:
        clues: the names of the numbers, in their order.
        examine: task, predicted and labelled values of one image to these numbers.
    """

    clues: tuple[str, ...]
    examine: Callable[[Task, Tensor, Tensor], dict[str, Clue]]


def _loss_alone(task: Task, prediction: Tensor, label: Tensor) -> dict[str, Clue]:
    return {LOSS: Clue(float((prediction - label).abs().nanmean()))}


_LENGTHS = Kind((*_GEOMETRIC, "offset", evidence.SCALE), lambda task, one, other: evidence.lengths(one, other))
KINDS: dict[str, Kind] = {
    "segmentation": Kind(
        (*_GEOMETRIC, "swapped", "renamed"), lambda task, one, other: evidence.classes(one, other, task.classes)
    ),
    "depth": _LENGTHS,
    "disparity": _LENGTHS,
    "normals": Kind((*_GEOMETRIC, "frame"), lambda task, one, other: evidence.directions(one, other)),
    "saliency": Kind((*_GEOMETRIC, "inverted"), lambda task, one, other: evidence.shares(one, other)),
    "tags": Kind((LOSS, "contradicted"), lambda task, one, other: evidence.tags(one, other, task.classes)),
    "category": Kind((LOSS, "contradicted"), lambda task, one, other: evidence.category(one, other, task.classes)),
    "scalars": Kind((LOSS, "contradicted"), lambda task, one, other: evidence.numbers(one, other, task.classes)),
}
OTHERS = Kind((LOSS,), _loss_alone)
"""For kinds without an entry."""


def kind_of(task: Task) -> Kind:
    """How labels of a task are examined."""
    return KINDS.get(task.kind, OTHERS)
