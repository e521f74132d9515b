"""Which predictions can learn from which labels: ordered pairs of an unlabelled and a labelled task of one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.mapping import MappingNetwork, pair_slot
from crosstask.tasks.base import Task


class Pair(NamedTuple):
    """The images of a batch on which one task can learn from another.

    Attributes:
        source: the unlabelled task, whose prediction learns.
        target: the labelled task.
        images: their positions in the batch, (n,) int64.
    """

    source: str
    target: str
    images: Tensor


def dense_tasks(tasks: Mapping[str, Task], objective: str) -> dict[str, Task]:
    """The dense tasks among ``tasks``.

    Raises:
        RecipeError: fewer than two, so that there is no pair.
    """
    dense = {name: task for name, task in tasks.items() if task.dense}
    if len(dense) < 2:
        raise RecipeError(f"objectives.{objective}: needs two dense tasks, found {', '.join(dense) or 'none'}")
    return dense


def labelled(batch: Batch, tasks: Mapping[str, Task]) -> dict[str, Tensor]:
    """Per task whether each image has any known entry, (B,) bool."""
    return {name: task.known(batch.targets[name]).flatten(1).any(1) for name, task in tasks.items()}


def find_pairs(batch: Batch, tasks: Mapping[str, Task], every: bool = False) -> list[Pair]:
    """All ordered pairs of dense tasks that some image of the batch offers.

    Args:
        batch: the batch.
        tasks: the dense tasks.
        every: also pairs whose source is labelled itself; then full labels give all K (K - 1) pairs.
    """
    known = labelled(batch, tasks)
    pairs = []
    for source in tasks:
        for target in tasks:
            if source != target:
                images = (known[target] & (every | ~known[source])).nonzero()[:, 0]
                if len(images):
                    pairs.append(Pair(source, target, images))
    return pairs


def embed_pairs(
    mapper: MappingNetwork,
    pairs: list[Pair],
    tasks: Mapping[str, Task],
    predictions: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
) -> list[tuple[Tensor, Tensor]]:
    """For each pair the prediction of its source and the label of its target in the joint space.

    All pairs go through the mapping network in one call.

    Returns:
        Per pair two tensors (n, D, h, w).
    """
    order = {name: index for index, name in enumerate(tasks)}
    maps = []
    for source, target, images in pairs:
        slot = torch.full_like(images, pair_slot(order[source], order[target], len(order)))
        maps.append((order[source], tasks[source].embed(predictions[source][images]), slot))
        maps.append((order[target], tasks[target].embed_target(targets[target][images]), slot))
    embedded = mapper(maps)
    return list(zip(embedded[::2], embedded[1::2], strict=True))
