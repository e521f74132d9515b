"""Images that are nearly the same and have other labels.

Candidates are images whose features lie much closer than those of two images do as a rule; they are near-duplicates
where small grey pictures of both correlate too. Labels are compared as a label and a prediction are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

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
_BLOCK, _SMALL = 1024, (16, 16)


def nearest_pairs(features: np.ndarray, most: int = MOST) -> list[tuple[int, int]]:
    """Pairs of images whose features are near, each image with its nearest; the nearest pairs first.

    Args:
        features: (N, D), unit length.
        most: how many pairs at most.
    """
    count = len(features)
    if count < 2:
        return []
    sample = features[np.linspace(0, count - 1, min(count, 512)).astype(int)]
    usual = float(np.sqrt(np.median(squared(sample, sample)[np.triu_indices(len(sample), 1)])))
    pairs: dict[tuple[int, int], float] = {}
    for start in range(0, count, _BLOCK):
        block = squared(features[start : start + _BLOCK], features)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        nearest = block.argmin(1)
        for row, other in enumerate(nearest.tolist()):
            distance = math.sqrt(float(block[row, other]))
            if distance < NEAR * usual:
                one = start + row
                pairs[min(one, other), max(one, other)] = distance
    return sorted(pairs, key=pairs.__getitem__)[:most]


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
    return kind_of(task).examine(task, one, other)[LOSS].value
