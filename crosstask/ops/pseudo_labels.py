"""Pseudo-labels of pixels from class scores or from similarities to class prototypes, each with a confidence."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class PixelLabels(NamedTuple):
    """A label per pixel.

    >>> from_logits(torch.zeros(2, 4, 8, 8)).confidence.unique()
    tensor([0.2500])

    Attributes:
        label: (B, H, W) int64, -1 for none.
        confidence: (B, H, W) in [0, 1].
    """

    label: Tensor
    confidence: Tensor

    def above(self, threshold: float) -> Tensor:
        """The labels of at least this confidence, -1 elsewhere."""
        return self.label.where(self.confidence >= threshold, -1)


def from_logits(logits: Tensor) -> PixelLabels:
    """The most likely class and its probability, for logits (B, C, H, W).

    >>> labels = from_logits(torch.tensor([0.0, 2.0]).view(1, 2, 1, 1))
    >>> labels.label.item(), round(labels.confidence.item(), 2)
    (1, 0.88)
    """
    logits = logits.float()
    highest, label = logits.max(1)
    return PixelLabels(label, 1 / (logits - highest[:, None]).exp().sum(1))


def from_similarity(similarity: Tensor, seen: Tensor, temperature: float) -> PixelLabels:
    """The most similar class, and its share in softmax(similarity / temperature) over the classes that were seen.

    >>> similarity = torch.tensor([0.2, 0.9]).view(1, 2, 1, 1)
    >>> from_similarity(similarity, torch.tensor([True, False]), temperature=0.1).label  # the second was never seen
    tensor([[[0]]])

    Args:
        similarity: (B, C, H, W) cosines.
        seen: (C,) bool, the classes that have a prototype; no pixel has a label before there is one.
        temperature: tau.
    """
    logits = (similarity.float() / temperature).masked_fill(~seen[:, None, None], -torch.inf)
    label, confidence = from_logits(logits)
    return PixelLabels(label.where(seen.any(), -1), confidence.where(seen.any(), 0.0))


def agreed(first: PixelLabels, second: PixelLabels) -> PixelLabels:
    """The labels both share, with the confidence of the first; -1 where they differ.

    >>> one = PixelLabels(torch.tensor([[[0, 1]]]), torch.ones(1, 1, 2))
    >>> agreed(one, PixelLabels(torch.tensor([[[0, 2]]]), torch.ones(1, 1, 2))).label
    tensor([[[ 0, -1]]])
    """
    return PixelLabels(first.label.where(first.label == second.label, -1), first.confidence)


def confident_shares(labels: PixelLabels, threshold: float) -> Tensor:
    """The weight of each image in the released code of Space Engage, (B,): confident pixels over labelled ones.

    Confident pixels count even where there is no label, so it exceeds 1 where labels are rare; 0 without any label.

    >>> labels = PixelLabels(torch.tensor([[[0, 1, 1, 2]]]), torch.tensor([[[0.99, 0.5, 0.9, 0.99]]]))
    >>> confident_shares(labels, threshold=0.95)
    tensor([0.5000])
    """
    confident = (labels.confidence >= threshold).flatten(1).sum(1)
    labelled = (labels.label >= 0).flatten(1).sum(1)
    return torch.where(labelled > 0, confident / labelled.clamp(min=1), 0.0)


def highest_share(classes: int, temperature: float) -> float:
    """The largest share a class can have in softmax(cosine / temperature): own cosine 1, those of all others -1.

    >>> round(highest_share(21, 0.5), 3)
    0.732
    """
    return 1 / (1 + (classes - 1) * math.exp(-2 / temperature))


def temperature_for(share: float, classes: int) -> float:
    """The temperature at which :func:`highest_share` of two classes or more is ``share``; below it more is possible.

    >>> round(temperature_for(0.732, 21), 2)
    0.5
    """
    return 2 / math.log((classes - 1) / (1 / share - 1))
