"""The contrast of Space Engage between pixels and class prototypes, from labels to a term."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crosstask.ops.prototype_contrast import draw, prototype_contrast
from crosstask.ops.prototypes import Prototypes
from crosstask.ranges import Factor, Positive, Share, Size, Steps
from crosstask.tasks.term import Term


@dataclass(frozen=True)
class SpaceContrast:
    """How representations are contrasted. The published settings are 256 anchors and 512 negatives.

    Args:
        weight: of the contrast beside the pseudo-labels.
        rampdown: iterations over which the weight falls as exp(-5 (t / rampdown)^2), to be 0 afterwards; null for none.
        temperature: tau of the contrast, and of the draw of negatives.
        anchors: anchors per class and process.
        negatives: negatives per anchor.
        anchors_by: anchors are pixels whose own class has a low share among the similarities to prototypes
            (``similarity``), or a low probability of the student (``confidence``).
        anchors_below: the share (or probability) below which a pixel is an anchor.
        mask: with the strategy ``mix``, whose confidence decides which pseudo-labelled pixels take part: the logits' as
            released, or the representations' as published. The labels of one space (the other strategies) go by its
            own.
        confidence: the least such confidence.
    """

    weight: Factor = 1.0
    rampdown: Steps | None = None
    temperature: Positive = 0.5
    anchors: Size = 64
    negatives: Size = 128
    anchors_by: Literal["similarity", "confidence"] = "similarity"
    anchors_below: Share = 0.8
    mask: Literal["logit", "representation"] = "logit"
    confidence: Share = 0.7

    def __post_init__(self) -> None:
        for name in ("temperature", "anchors", "negatives"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, found {getattr(self, name)}")
        for name in ("anchors_below", "confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], found {getattr(self, name)}")
        if self.rampdown is not None and self.rampdown <= 0:
            raise ValueError(f"rampdown must be more than 0 iterations, or null, found {self.rampdown}")

    def weight_at(self, iteration: int) -> float:
        """The weight at an iteration."""
        if self.rampdown is None:
            return self.weight
        progress = iteration / self.rampdown
        return self.weight * math.exp(-5 * progress**2) if progress < 1 else 0.0

    @property
    def chance(self) -> float:
        """The loss of guessing."""
        return math.log(1 + self.negatives)

    @torch.no_grad()
    def hard(
        self, representations: Tensor, logits: Tensor, labels: Tensor, prototypes: Prototypes, indicator: float
    ) -> Tensor:
        """Which pixels may be anchors.

        Args:
            representations: (B, D, h, w) of the student.
            logits: (B, C, h, w) of the student.
            labels: (B, h, w), -1 for none.
            prototypes: of the classes.
            indicator: temperature of the softmax over similarities.

        Returns:
            bool (B, h, w).
        """
        if self.anchors_by == "similarity":
            similarity = prototypes.similarity(representations) / indicator
            logits = similarity.masked_fill(~prototypes.seen[:, None, None], -torch.inf)
        logits = logits.float()
        own = logits.gather(1, labels.clamp(min=0)[:, None])[:, 0]
        share = (own - logits.logsumexp(1)).exp()
        return ~(share >= self.anchors_below)  # without any prototype all are hard

    def __call__(
        self,
        representations: Tensor,
        labels: Tensor,
        hard: Tensor,
        prototypes: Prototypes,
        generator: torch.Generator,
    ) -> Term:
        """The contrast, summed over classes of which each is the mean of its anchors; counts the classes present.

        A class without anchors counts with a loss of 0. Exact 0 where fewer than two classes are present.

        Args:
            representations: (B, D, h, w), (the gradient reaches anchors alone).
            labels: (B, h, w), -1 for pixels that do not take part.
            hard: (B, h, w) bool.
            prototypes: of the classes.
            generator: for the draws.
        """
        rows = representations.permute(0, 2, 3, 1).reshape(-1, representations.shape[1])
        drawn = draw(
            labels.flatten(),
            hard.flatten(),
            prototypes.similarity(prototypes.vectors),
            self.temperature,
            self.anchors,
            self.negatives,
            generator,
        )
        losses = prototype_contrast(rows, drawn, prototypes.vectors, self.temperature)
        present = drawn.present if drawn.present > 1 else 0
        return Term(losses.sum() / self.anchors, losses.new_tensor(float(present)))
