"""Which space's pseudo-labels teach which: the strategies of Space Engage (arXiv 2307.09755, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from crosstask.networks.blocks import fit, resize
from crosstask.ops.prototypes import Prototypes
from crosstask.ops.pseudo_labels import PixelLabels, agreed, from_logits, from_similarity


class SpaceLabels(NamedTuple):
    """What the logits and the representations of the student learn from; each (B, H, W)."""

    logits: PixelLabels
    representations: PixelLabels


def _mix(logit: PixelLabels, representation: PixelLabels) -> SpaceLabels:
    labels = agreed(logit, representation)
    return SpaceLabels(labels, labels)


STRATEGIES: dict[str, Callable[[PixelLabels, PixelLabels], SpaceLabels]] = {
    "mix": _mix,
    "cross": lambda logit, representation: SpaceLabels(representation, logit),
    "logit": lambda logit, representation: SpaceLabels(logit, logit),
    "representation": lambda logit, representation: SpaceLabels(representation, representation),
}
"""``mix`` keeps the labels on which both spaces agree, with the confidence of the logits; with ``cross`` each space
teaches the other, with its own confidence; the others use one space for both."""


def both_spaces(
    logits: Tensor, representations: Tensor, stride: int, prototypes: Prototypes, temperature: float
) -> tuple[PixelLabels, PixelLabels]:
    """The labels of either space at full resolution.

    Similarities are enlarged, then made into shares. (The released code aligns corners when it enlarges.)

    Args:
        logits: (B, C, H, W) of the teacher.
        representations: (B, D, h, w) of the teacher, covering the images padded on the right and at the bottom.
        stride: pixels per place of the representations.
        prototypes: of the classes.
        temperature: of the softmax over similarities.
    """
    coarse = prototypes.similarity(representations)
    padded = (coarse.shape[-2] * stride, coarse.shape[-1] * stride)
    height, width = logits.shape[-2:]
    similarity = fit(resize(coarse, padded), (height, width))
    return from_logits(logits), from_similarity(similarity, prototypes.seen, temperature)


def on_grid(maps: Tensor, like: Tensor, stride: int, unknown: float) -> Tensor:
    """Maps (..., H, W) at the places of representations ``like`` (B, D, h, w): the pixel in the middle of each."""
    below, right = (like.shape[side] * stride - maps.shape[side] for side in (-2, -1))
    padded = F.pad(maps, (0, right, 0, below), value=unknown)
    return padded[..., stride // 2 :: stride, stride // 2 :: stride]
