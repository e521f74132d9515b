"""Label protocols: which of the labels that exist are used, so that partial labelling can be studied on full data.

A protocol is a word in a recipe:

- ``full``: every label there is;
- ``one``: of each sample exactly one label, equally many per task (the *one-label* setting of Li et al., CVPR 2022);
- ``random``: of each sample at least one label and at most all but one (their *random-label* setting): how many is
  drawn uniformly, then which;
- ``fraction:p``: of each task a random share ``p`` of its labels, at least one, drawn independently for each task; a
  smaller ``p`` keeps a subset of what a larger one keeps;
- ``lists:FILE``: of each task the labels of the samples that a JSON file ``{"task": ["id", ...], ...}`` lists for it;
  samples that are not in the data (held out, of another split) are passed over;
- ``file:FILE``: the assignment of Li et al.'s repository and those that follow it, ``one.pth`` or ``random.pth``: see
  :mod:`crosstask.data.labels.assignments`.

Draws depend on the seed, the id of a sample and the name of a task, never on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.labels.assignments import read_assignment
from crosstask.errors import DataError, RecipeError, UserError, nearest
from crosstask.reading import read_json
from crosstask.seeding import derive


@dataclass(frozen=True)
class Labels:
    """The labels that exist.

    Attributes:
        there: for each sample, which tasks (by position) it has labels of.
        ids: the ids of the samples.
        tasks: the names of the tasks.
        seed: what the draws depend on, beside ids and tasks.
    """

    there: list[list[int]]
    ids: Sequence[str]
    tasks: Sequence[str]
    seed: int

    def shuffled(self, sample: int) -> list[int]:
        """The tasks a sample has labels of, in an order drawn for this sample."""
        return sorted(
            self.there[sample], key=lambda task: derive(self.seed, "order", self.ids[sample], self.tasks[task])
        )


Kept = list[set[int]]
"""For each sample, the tasks (by position) whose labels are kept."""


def assign(labelled: Tensor, protocol: str, seed: int, ids: Sequence[str], tasks: Sequence[str]) -> Tensor:
    """Which labels a protocol keeps.

    Args:
        labelled: bool (N, T), the labels that exist (``Dataset.labelled()``).
        protocol: one of the protocols of this module.
        seed: what the draws depend on, beside ids and tasks.
        ids: the N ids of the samples.
        tasks: the T names of the tasks.

    Returns:
        bool (N, T), a subset of ``labelled``. Keep it with ``dataset.keep`` or, as a file, with ``table.masked``.

    Raises:
        RecipeError: no such protocol, or not a valid share.
        DataError: the file of lists cannot be read, leaves out a task or lists no sample of the data.
    """
    there = [[task for task, has in enumerate(row) if has] for row in labelled.tolist()]
    keep = torch.zeros(labelled.shape, dtype=torch.bool)
    try:
        for sample, chosen in enumerate(_kept(Labels(there, ids, tasks, seed), protocol)):
            keep[sample, sorted(chosen)] = True
    except UserError as error:
        raise type(error)(f"data.labels: {error}") from None
    return keep


def _kept(labels: Labels, protocol: str) -> Kept:
    name, colon, argument = protocol.partition(":")
    if colon and name in WITH_ARGUMENT:
        return WITH_ARGUMENT[name](labels, argument)
    if protocol in PLAIN:
        return PLAIN[protocol](labels)
    raise RecipeError(
        f"{protocol!r} is no label protocol: write full, one, random, fraction:p, lists:FILE or file:FILE"
    )


def hold_out(ids: Sequence[str], fraction: float, seed: int) -> set[str]:
    """A validation split taken off the training rows: the ids of a random ``fraction`` of the samples.

    At least one sample is held out and at least one is left; which depends on the seed and the ids alone.

    Raises:
        RecipeError: the fraction is not between 0 and 1, or there are fewer than two samples.
    """
    if not 0 < fraction < 1 or len(ids) < 2:
        raise RecipeError(
            f"cannot hold out {fraction:g} of {len(ids)} samples: it takes two samples and a share within 0 and 1"
        )
    count = min(max(round(fraction * len(ids)), 1), len(ids) - 1)
    return set(sorted(ids, key=lambda name: derive(seed, "hold out", name))[:count])


def _full(labels: Labels) -> Kept:
    return [set(there) for there in labels.there]


def _one(labels: Labels) -> Kept:
    kept: Kept = [set() for _ in labels.ids]
    counts = [0] * len(labels.tasks)
    # Those with the least choice first; each takes, of its labels, that of the task with the fewest so far.
    order = sorted(range(len(kept)), key=lambda i: (len(labels.there[i]), derive(labels.seed, "turn", labels.ids[i])))
    for sample in order:
        if labels.there[sample]:
            task = min(labels.shuffled(sample), key=counts.__getitem__)
            counts[task] += 1
            kept[sample] = {task}
    return kept


def _random(labels: Labels) -> Kept:
    def subset(sample: int) -> set[int]:
        most = max(len(labels.there[sample]) - 1, 1)
        return set(labels.shuffled(sample)[: 1 + derive(labels.seed, "how many", labels.ids[sample]) % most])

    return [subset(sample) for sample in range(len(labels.ids))]


def _fraction(labels: Labels, argument: str) -> Kept:
    try:
        share = float(argument)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise RecipeError(f"'fraction:{argument}' keeps no share of the labels: write a number in (0, 1], fraction:0.1")
    kept: Kept = [set() for _ in labels.ids]
    for task, name in enumerate(labels.tasks):
        samples = [sample for sample, there in enumerate(labels.there) if task in there]
        samples.sort(key=lambda sample, name=name: derive(labels.seed, "share", labels.ids[sample], name))  # type: ignore[misc]
        for sample in samples[: max(round(share * len(samples)), 1)]:
            kept[sample].add(task)
    return kept


def _lists(labels: Labels, argument: str) -> Kept:
    lists = read_lists(Path(argument))
    kept: Kept = [set() for _ in labels.ids]
    for task, name in enumerate(labels.tasks):
        if name not in lists:
            raise DataError(
                f"{argument}: lists no task {name!r} ({nearest(name, lists)}): add it, with [] to use no label"
            )
        listed = set(lists[name])
        chosen = [i for i, there in enumerate(labels.there) if task in there and labels.ids[i] in listed]
        if listed and not chosen:
            raise DataError(
                f"{argument}, task {name}: none of the {len(listed)} ids has a label, the first is {lists[name][0]!r}, "
                f"those of the data are like {labels.ids[0]!r}"
            )
        for sample in chosen:
            kept[sample].add(task)
    return kept


def _file(labels: Labels, argument: str) -> Kept:
    kept = read_assignment(Path(argument), labels.ids, labels.tasks).tolist()
    return [{task for task in there if row[task]} for there, row in zip(labels.there, kept, strict=True)]


def read_lists(path: Path) -> dict[str, list[str]]:
    """A JSON file ``{"task": ["id", ...], ...}``.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        lists = read_json(path, 'write {"task": ["id", ...], ...}')
    except UserError as error:
        raise DataError(f"cannot read the lists of labels: {error}") from None
    if not isinstance(lists, dict) or not all(isinstance(ids, list) for ids in lists.values()):
        raise DataError(f'{path}: holds no lists of labels: write {{"task": ["id", ...], ...}}')
    return {task: [str(item) for item in ids] for task, ids in lists.items()}


PLAIN: dict[str, Callable[[Labels], Kept]] = {"full": _full, "one": _one, "random": _random}
WITH_ARGUMENT: dict[str, Callable[[Labels, str], Kept]] = {"fraction": _fraction, "lists": _lists, "file": _file}
