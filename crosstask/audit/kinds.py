"""Which evidence there is for each kind of task. A kind of your own joins by an entry of :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from crosstask.audit import evidence
from crosstask.audit.evidence import LOSS, Clue
from crosstask.tasks.base import Task

DUPLICATE = "duplicate"
_GEOMETRIC = (LOSS, "mirrored", "upside_down", "shifted", "outlines", "outlines_mirrored", "outlines_shifted")


class Kind(NamedTuple):
    """How labels of a kind are examined.

    Attributes:
        clues: the names of the numbers, in their order.
        examine: task, predicted and labelled values of one image, and the image, to these numbers.
    """

    clues: tuple[str, ...]
    examine: Callable[[Task, Tensor, Tensor, Tensor], dict[str, Clue]]


def _loss_alone(task: Task, prediction: Tensor, label: Tensor, image: Tensor) -> dict[str, Clue]:
    return {LOSS: Clue(float((prediction - label).abs().nanmean()))}


def _lengths(inverse: bool) -> Kind:
    own = (evidence.SCALE, "near", "far", "slope", "offset", "bent", "bent_by")
    return Kind((*_GEOMETRIC, *own), lambda task, one, other, image: evidence.lengths(one, other, image, inverse))


KINDS: dict[str, Kind] = {
    "segmentation": Kind(
        (*_GEOMETRIC, "swapped", "renamed", "each_other"),
        lambda task, one, other, image: evidence.classes(one, other, image, task.classes),
    ),
    "depth": _lengths(False),
    "disparity": _lengths(True),
    "normals": Kind((*_GEOMETRIC, "frame"), lambda task, one, other, image: evidence.directions(one, other, image)),
    "saliency": Kind((*_GEOMETRIC, "inverted"), lambda task, one, other, image: evidence.shares(one, other, image)),
    "tags": Kind((LOSS, "contradicted"), lambda task, one, other, image: evidence.tags(one, other, task.classes)),
    "category": Kind(
        (LOSS, "contradicted"), lambda task, one, other, image: evidence.category(one, other, task.classes)
    ),
    "scalars": Kind((LOSS, "contradicted"), lambda task, one, other, image: evidence.numbers(one, other, task.classes)),
}
OTHERS = Kind((LOSS,), _loss_alone)
"""For kinds without an entry."""


def kind_of(task: Task) -> Kind:
    """How labels of a task are examined."""
    return KINDS.get(task.kind, OTHERS)
