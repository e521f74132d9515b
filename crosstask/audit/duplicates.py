"""Images that are nearly the same and have other labels.

Candidates are images whose features lie much closer than those of two images do as a rule; they are near-duplicates
where small grey pictures of both correlate too. Labels are compared as a label and a prediction are.

Each image is compared with those of its neighbourhood alone: of the square root of N images drawn as centres, each
image is with its nearest :data:`CENTRES`, and those of one centre are compared with each other. Both grow with N to the
power 1.5, and no neighbourhood, however many images are alike, makes it more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.audit.evidence import LOSS
from crosstask.audit.kinds import kind_of
from crosstask.audit.look import unknown_apart
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample
from crosstask.suggest.choose import squared
from crosstask.tasks.base import Task

NEAR = 0.4
"""Distance of features, as a share of the usual one, below which two images are candidates."""
ALIKE = 0.95
"""Correlation of small pictures from which two candidates are near-duplicates."""
MOST = 1000
"""Pairs that are read again at most: the nearest ones."""
CENTRES = 3
"""Neighbourhoods that an image is in."""
_BLOCK, _SMALL = 1024, (16, 16)


def nearest_pairs(features: np.ndarray, most: int = MOST, seed: int = 0) -> list[tuple[int, int]]:
    """Pairs of images whose features are near, each image with its nearest; the nearest pairs first.

    Args:
        features: (N, D), unit length.
        most: how many pairs at most.
        seed: of the drawn centres.
    """
    count = len(features)
    if count < 2:
        return []
    sample = features[np.linspace(0, count - 1, min(count, 512)).astype(int)]
    usual = float(np.sqrt(np.median(squared(sample, sample)[np.triu_indices(len(sample), 1)])))
    near, other = np.full(count, np.inf, np.float32), np.full(count, -1)
    for members in _neighbourhoods(features, np.random.default_rng(seed)):
        for start in range(0, len(members), _BLOCK):
            own, around = members[start : start + _BLOCK], members[start : start + 2 * _BLOCK]
            block = squared(features[own], features[around])
            np.fill_diagonal(block, np.inf)
            for mine, theirs, table in ((own, around, block), (around, own, block.T)):
                best = table.argmin(1)
                distance = table[np.arange(len(mine)), best]
                closer = distance < near[mine]
                near[mine[closer]], other[mine[closer]] = distance[closer], theirs[best[closer]]
    found = (np.sqrt(near) < NEAR * usual).nonzero()[0]
    pairs = {(min(one, int(other[one])), max(one, int(other[one]))): float(near[one]) for one in found.tolist()}
    return sorted(pairs, key=lambda pair: (pairs[pair], pair))[:most]


def _neighbourhoods(features: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of the images around each centre."""
    count = len(features)
    centres = features[np.sort(rng.permutation(count)[: math.isqrt(count)])]
    kept = min(CENTRES, len(centres))
    nearest = np.empty((count, kept), np.int32)
    for start in range(0, count, _BLOCK):
        distances = squared(features[start : start + _BLOCK], centres)
        nearest[start : start + _BLOCK] = np.argpartition(distances, kept - 1, axis=1)[:, :kept]
    order = np.argsort(nearest, axis=None, kind="stable")
    ends = np.searchsorted(nearest.ravel()[order], np.arange(len(centres) + 1))
    for begin, end in itertools.pairwise(ends.tolist()):
        yield order[begin:end] // kept


@torch.inference_mode()
def duplicates(
    dataset: Dataset, features: np.ndarray, tasks: Mapping[str, Task], most: int = MOST
) -> dict[str, np.ndarray]:
    """By task how far the label of each image is from that of its near-duplicate, (N,), NaN where it has none."""
    found = {name: np.full(len(dataset), np.nan) for name in tasks}
    labelled = dataset.labelled().numpy()
    for one, other in nearest_pairs(features, most):
        if not (labelled[one] & labelled[other]).any():
            continue
        first, second = dataset[one], dataset[other]
        if first.size != second.size or alike(first, second) < ALIKE:
            continue
        for name, task in tasks.items():
            apart = _apart(task, first, second)
            for place in (one, other):
                found[name][place] = np.nanmax([found[name][place], apart]) if apart == apart else found[name][place]
    return found


def alike(first: Sample, second: Sample) -> float:
    """The correlation of two images as small grey pictures, in [-1, 1]."""
    grey = [
        F.adaptive_avg_pool2d(each.image.as_subclass(Tensor).mean(0)[None], _SMALL).flatten()
        for each in (first, second)
    ]
    return float(torch.corrcoef(torch.stack(grey))[0, 1].nan_to_num(1.0))


def _apart(task: Task, first: Sample, second: Sample) -> float:
    labels = []
    for sample in (first, second):
        target = sample.targets[task.name].as_subclass(Tensor)
        labels.append(unknown_apart(task, task.values(target[None])[0], target))
    one, other = labels
    if one is None or other is None:
        return math.nan
    return kind_of(task).examine(task, one, other, first.image.as_subclass(Tensor))[LOSS].value
