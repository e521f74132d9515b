"""Region-aware distribution contrast: arXiv 2403.10252.

For an image with a label of task t and none of task s, the prediction of s and the label of t are mapped into a joint
space (as in :mod:`~crosstask.objectives.pairwise`). The features inside region i of either map are a Gaussian

    p_{i,t} = N(mu_{i,t}, Sigma_{i,t})                                                            (eq. 2)

compared by the squared 2-Wasserstein distance W (eq. 5), with similarity exp(-W / tau) (eq. 4). Each region should be
nearer to the same region of the other task than to other regions:

    L_{i,t} = -log [ exp(-W(p_{i,t}, p_{i,s}) / tau) / sum_k exp(-W(p_{i,t}, k) / tau) ]           (eq. 3)
    L = 1 / (K M) sum_t sum_i L_{i,t},   K = 2 maps, M regions, anchors in both maps               (eq. 6)

The released code computes this on detached arrays, so it trains nothing, and its value ignores the positives. Here the
gradient reaches the prediction and the mapping network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from crosstask.errors import RecipeError
from crosstask.networks.mapping import MappingNetwork
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.pairs import dense_tasks, embed_pairs, find_pairs
from crosstask.ops.contrast import info_nce
from crosstask.ops.gaussians import (
    RegionIndex,
    gaussian_kl,
    index_regions,
    mean_distance,
    region_moments,
    wasserstein2,
)
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Distance(Protocol):
    """Distances (A, B) between all Gaussians of two sets; only the pairs of the mask (A, B) are looked at."""

    def __call__(self, *gaussians: Tensor, mask: Tensor) -> Tensor: ...


def _wasserstein(*gaussians: Tensor, mask: Tensor) -> Tensor:
    return wasserstein2(*gaussians, mask=mask)


def _kl(*gaussians: Tensor, mask: Tensor) -> Tensor:
    return gaussian_kl(*gaussians, symmetric=True)


def _vector(*gaussians: Tensor, mask: Tensor) -> Tensor:
    return mean_distance(*gaussians)


DISTANCES: dict[str, Distance] = {"wasserstein": _wasserstein, "kl": _kl, "vector": _vector}


class Contrast(NamedTuple):
    """The loss of a batch of map pairs.

    Attributes:
        loss: (E,) the loss of eq. 6 of each pair that has two regions or more.
        chance: the loss of guessing, the mean of ln(candidates).
    """

    loss: Tensor
    chance: float


def region_contrast(
    source: Tensor,
    target: Tensor,
    index: RegionIndex,
    temperature: Tensor | float,
    distance: Distance = _wasserstein,
    negatives: Literal["other", "any"] = "other",
    across: bool = False,
) -> Contrast:
    """Eqs. 2 to 6 for pairs of feature maps.

    Args:
        source: (P, D, h, w) maps of predictions.
        target: (P, D, h, w) maps of labels.
        index: their common regions.
        temperature: tau.
        distance: of all pairs of Gaussians of two sets.
        negatives: other regions of the other map, or of either map: the text of eq. 3 says either, the formula the
            other.
        across: regions of all pairs are candidates, not only those of the same pair.
    """
    first, second = region_moments(source, index), region_moments(target, index)
    entry = torch.zeros_like(first.image) if across else first.image
    mask = entry[:, None] == entry
    cross = distance(*first[:2], *second[:2], mask=mask)
    own = [distance(*each[:2], *each[:2], mask=mask) if negatives == "any" else None for each in (first, second)]
    forward, candidates = info_nce(cross, entry, temperature, own[0])
    backward, _ = info_nce(cross.T, entry, temperature, own[1])
    losses = (forward + backward) / 2
    regions = torch.bincount(first.image, minlength=len(source))
    summed = losses.new_zeros(len(source)).index_add(0, first.image, losses)
    several = regions > 1
    chance = float(candidates.float().log().mean()) if len(candidates) else 0.0
    return Contrast(summed[several] / regions[several], chance)


class RegionContrast(Objective):
    """Contrast of regions between predictions and other tasks' labels.

    The term averages eq. 6 over the pairs (image, unlabelled task, labelled task) that have two regions or more. It is
    logged beside its chance level: a loss far below that in the first epochs means that a shortcut was found. Features
    of padded convolutions carry position and outline, by which regions of one image can be told apart without looking
    at their values: ``kernel: 1`` removes it, ``across: true`` makes it worth less.

    Needs regions in the data (``data.regions: true`` and a column made by ``crosstask regions``).

    Args:
        distance: wasserstein (as published), kl, or vector (the mean features alone).
        temperature: tau; the paper gives none, the released code uses 5.4 on features without normalisation. Features
            are of unit length by default, so that distances lie between 0 and 4.
        normalise: whether joint features are made unit length.
        negatives: other regions of the other map (other), or of both maps (any).
        across: regions of all images of the batch are negatives, not only those of the same image.
        detach_labels: no gradient through the map of the label.
        minimum: pixels at the resolution of the contrast below which a region is left out.
        enlarge: by how much joint features are enlarged before regions are cut out.
        stem: channels after the stems of the mapping network.
        widths: channels of its stages, each of which halves the resolution; the last is the dimension of the Gaussians.
        layers: layers of each of its stages.
        kernel: side of its convolutions, 3 or 1.
        every_pair: also learn from pairs whose source task is labelled itself.

    Raises:
        RecipeError: fewer than two dense tasks, or a temperature that is not positive.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        distance: Literal["wasserstein", "kl", "vector"] = "wasserstein",
        temperature: float = 0.1,
        normalise: bool = True,
        negatives: Literal["other", "any"] = "other",
        across: bool = False,
        detach_labels: bool = False,
        minimum: int = 10,
        enlarge: int = 1,
        stem: int = 16,
        widths: Sequence[int] = (16, 16),
        layers: Sequence[int] = (2, 2),
        kernel: int = 3,
        every_pair: bool = False,
    ) -> None:
        super().__init__()
        self.tasks = dense_tasks(tasks, "region_contrast")
        if not 0 < temperature < math.inf:
            raise RecipeError(
                f"objectives.region_contrast.temperature: expected a positive number, found {temperature}"
            )
        self.mapper = MappingNetwork([task.channels for task in self.tasks.values()], stem, widths, layers, kernel)
        self.distance, self.temperature, self.normalise = DISTANCES[distance], temperature, normalise
        self.negatives, self.across, self.detach_labels = negatives, across, detach_labels
        self.minimum, self.enlarge, self.every_pair = minimum, enlarge, every_pair
        self._chance: dict[str, float] = {}

    def forward(self, step: Step) -> dict[str, Term]:
        if step.batch.regions is None:
            raise RecipeError(
                "objectives.region_contrast: the batch has no regions: make them with 'crosstask regions' and set "
                "data.regions: true"
            )
        nothing = Term.zero(*self.mapper.parameters(), *step.predictions.values())
        pairs = find_pairs(step.batch, self.tasks, self.every_pair)
        self._chance = {}
        if not pairs:
            return {"regions": nothing}
        embedded = embed_pairs(self.mapper, pairs, self.tasks, step.predictions, step.batch.targets)
        source, target = (torch.cat([self._prepared(maps[side]) for maps in embedded]) for side in (0, 1))
        images = torch.cat([pair.images for pair in pairs])
        regions = F.interpolate(step.batch.regions[images, None].double(), source.shape[-2:], mode="nearest-exact")
        index = index_regions(regions[:, 0].long(), minimum=self.minimum)
        if not len(index):
            return {"regions": nothing}
        if self.detach_labels:
            target = target.detach()
        loss, chance = region_contrast(
            source, target, index, self.temperature, self.distance, self.negatives, self.across
        )
        self._chance = {"regions": chance}
        return {"regions": Term(nothing.total + loss.sum(), loss.new_tensor(float(len(loss))))}

    def chance(self) -> dict[str, float]:
        return self._chance

    def _prepared(self, maps: Tensor) -> Tensor:
        if self.enlarge > 1:
            maps = F.interpolate(maps, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        return F.normalize(maps.float(), dim=1) if self.normalise else maps
