"""Which predictions can learn from which labels: ordered pairs of an unlabelled and a labelled task of one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.mapping import MappingNetwork, pair_slot
from crosstask.objectives.shared.known import known_average, known_cells
from crosstask.tasks.base import Task


class Pair(NamedTuple):
    """The images of a batch on which one task can learn from another.

    Attributes:
        source: the unlabelled task, whose prediction learns.
        target: the labelled task.
        images: their positions in the batch, (n,) int64.
        slot: number of the pair, see :func:`~crosstask.networks.mapping.pair_slot`.
    """

    source: str
    target: str
    images: Tensor
    slot: int

    @property
    def slots(self) -> Tensor:
        """``slot`` once per image, (n,) int64."""
        return torch.full_like(self.images, self.slot)


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
    """Per task whether each image has any known entry that somebody gave, (B,) bool.

    A label that a network made is none to learn another task from, and a task that has one still learns from the labels
    of others: from a given depth, normals are known better than from a teacher.
    """
    known = {name: task.known(batch.targets[name]).flatten(1).any(1) for name, task in tasks.items()}
    return {name: there & ~batch.made[name] if name in batch.made else there for name, there in known.items()}


def find_pairs(batch: Batch, tasks: Mapping[str, Task], every: bool | None = None) -> list[Pair]:
    """All ordered pairs of dense tasks that some image of the batch offers.

    Args:
        batch: the batch.
        tasks: the dense tasks.
        every: also pairs whose source is labelled itself. By default only on images that have all labels, which offer
            nothing else: these give all K (K - 1) pairs, as in the papers' tables of full labels.
    """
    known = labelled(batch, tasks)
    full = torch.stack(list(known.values())).all(0)
    pairs = []
    for i, source in enumerate(tasks):
        for j, target in enumerate(tasks):
            if i != j:
                allowed = ~known[source] | (full if every is None else every)
                images = (known[target] & allowed).nonzero()[:, 0]
                if len(images):
                    pairs.append(Pair(source, target, images, pair_slot(i, j, len(tasks))))
    return pairs


def images_with_a_pair(pairs: list[Pair], batch: Batch) -> Tensor:
    """How many images of the batch have any of the pairs."""
    any_pair = torch.zeros(len(batch), device=batch.images.device)
    for pair in pairs:
        any_pair[pair.images] = 1
    return any_pair.sum()


def embed_pairs(
    mapper: MappingNetwork,
    pairs: list[Pair],
    tasks: Mapping[str, Task],
    predictions: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    reduce: int = 1,
) -> list[tuple[Tensor, Tensor]]:
    """For each pair the prediction of its source and the label of its target in the joint space.

    All pairs go through the mapping network in one call, maps that several of them share once where nothing depends on
    the pair yet. Labels are averaged over their known pixels.

    Args:
        reduce: average maps over squares of this side before they are mapped.

    Returns:
        Per pair two tensors (n, D, h, w).
    """
    order = {name: index for index, name in enumerate(tasks)}
    sources, labels = dict.fromkeys(pair.source for pair in pairs), dict.fromkeys(pair.target for pair in pairs)
    predicted = {name: reduced(tasks[name].embed(predictions[name]), reduce) for name in sources}
    known = {
        name: known_average(tasks[name].embed_target(targets[name]), tasks[name].known(targets[name]), reduce)
        for name in labels
    }
    shared: dict[tuple[bool, str, tuple[int, ...]], list[int]] = {}
    for place, pair in enumerate(pairs):
        for is_label, name in ((False, pair.source), (True, pair.target)):
            shared.setdefault((is_label, name, tuple(pair.images.tolist())), []).append(place)
    entries = []
    for (is_label, name, _), places in shared.items():
        maps = (known if is_label else predicted)[name][pairs[places[0]].images]
        entries.append((order[name], maps, torch.stack([pairs[place].slots for place in places])))
    embedded = {
        (is_label, place): each
        for (is_label, _, _), places, found in zip(shared, shared.values(), mapper(entries), strict=True)
        for place, each in zip(places, found, strict=True)
    }
    return [(embedded[False, place], embedded[True, place]) for place in range(len(pairs))]


def known_to(
    pairs: list[Pair], tasks: Mapping[str, Task], targets: Mapping[str, Tensor], size: tuple[int, int]
) -> list[Tensor]:
    """For each pair where its label is known, in maps of ``size`` (h, w): (n, h, w) bool."""
    names = dict.fromkeys(pair.target for pair in pairs)
    cells = {name: known_cells(tasks[name].known(targets[name]), size) for name in names}
    return [cells[pair.target][pair.images] for pair in pairs]


def reduced(maps: Tensor, factor: int) -> Tensor:
    """Maps (B, C, H, W) averaged to (B, C, H / factor, W / factor), rounded up."""
    if factor == 1:
        return maps
    height, width = (-(-side // factor) for side in maps.shape[-2:])
    return F.adaptive_avg_pool2d(maps, (height, width))
