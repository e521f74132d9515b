"""How far annotators agree, pair by pair, from one pass over the images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations

import torch
from torch import Tensor

from crosstask.annotators.opinions import Classes, Opinions, Presence, opinions_of
from crosstask.annotators.stack import ANNOTATOR, Stacked
from crosstask.data.loading.dataset import TableDataset
from crosstask.errors import DataError
from crosstask.tasks.base import Task

Given = dict[str, tuple[list[str], Tensor]]
"""By task, who says something and what, (V, ...)."""


def images(
    stacked: Stacked, tasks: dict[str, Task], progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[list[int], Given]]:
    """The rows and the opinions of each image, one image after the other.

    Raises:
        DataError: a file is missing or broken, or annotators of an image give maps of several sizes.
    """
    dataset = TableDataset(stacked.table, tasks)
    labelled = dataset.labelled().tolist()
    for done, group in enumerate(stacked.groups, 1):
        given: dict[str, tuple[list[str], list[Tensor]]] = {name: ([], []) for name in tasks}
        for index in group:
            if not any(labelled[index]):
                continue
            sample = dataset[index]
            for name, there in zip(tasks, labelled[index], strict=True):
                if there:
                    given[name][0].append(stacked.table.rows[index][ANNOTATOR])
                    given[name][1].append(sample.targets[name].as_subclass(Tensor))
        for name, (_, values) in given.items():
            if len({value.shape for value in values}) > 1:
                raise DataError(f"{stacked.table.where(group[0], name)}: labels of several sizes: export them again")
        yield group, {name: (who, torch.stack(values)) for name, (who, values) in given.items() if values}
        if progress is not None:
            progress(done, len(stacked.groups))


class Agreement:
    """Counts of how two annotators label the same entries of one task.

    Args:
        opinions: of the task.
    """

    def __init__(self, opinions: Opinions) -> None:
        self.opinions = opinions
        self.count, self.apart = 0, 0.0
        states = opinions.count if isinstance(opinions, Classes) else 2 if isinstance(opinions, Presence) else 0
        self.table = torch.zeros(states, states, dtype=torch.float64)

    def add(self, first: Tensor, second: Tensor) -> None:
        """Two labels of one image."""
        apart = self.opinions.difference(first, second)
        known = ~apart.isnan()
        self.count += int(known.sum())
        self.apart += float(apart[known].double().sum())
        if len(self.table):
            rows, columns = (each[known].round().long() for each in (first, second))  # tags may be probabilities
            pairs = rows * len(self.table) + columns
            self.table += pairs.bincount(minlength=self.table.numel()).reshape(self.table.shape)

    @property
    def numbers(self) -> dict[str, float]:
        """By name: the mean difference; for classes and tags Cohen's kappa and the mean IoU of classes either uses.

        Kappa (Cohen 1960) is (p - e) / (1 - e) with the share p of equal entries and e of those equal by chance; 1
        where both use one class alone.
        """
        said = {self.opinions.measure: self.apart / self.count} if self.count else {}
        if len(self.table) and self.count:
            total, same = self.table.sum(), self.table.diagonal()
            rows, columns = self.table.sum(1), self.table.sum(0)
            chance = float((rows * columns).sum() / total**2)
            said["kappa"] = (float(same.sum() / total) - chance) / (1 - chance) if chance < 1 else 1.0
            union = rows + columns - same
            said["miou %"] = 100 * float((same[union > 0] / union[union > 0]).mean())
        return said


def agreement(
    stacked: Stacked, tasks: dict[str, Task], progress: Callable[[int, int], None] | None = None
) -> dict[tuple[str, str, str], Agreement]:
    """By task and two annotators, those that label a task of the same image.

    Raises:
        DataError: a file is missing or broken.
    """
    opinions = {name: opinions_of(task) for name, task in tasks.items()}
    found: dict[tuple[str, str, str], Agreement] = {}
    order = {name: place for place, name in enumerate(stacked.annotators)}
    for _, given in images(stacked, tasks, progress):
        for name, (who, values) in given.items():
            for first, second in combinations(sorted(range(len(who)), key=lambda index: order[who[index]]), 2):
                key = name, who[first], who[second]
                found.setdefault(key, Agreement(opinions[name])).add(values[first], values[second])
    return found


def estimated(
    stacked: Stacked, tasks: dict[str, Task], progress: Callable[[int, int], None] | None = None
) -> dict[tuple[str, str], float]:
    """By task and annotator, a weight: the mean closeness, in [0.01, 1], to what the others say together with equal
    weights; 1 for whoever never labels what another does."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0])
    for _, given in images(stacked, tasks, progress):
        for name, (who, values) in given.items():
            opinions = opinions_of(tasks[name])
            for index, annotator in enumerate(who):
                rest = [other for other in range(len(who)) if other != index]
                if not rest:
                    continue
                close = opinions.close(values[index], opinions.fuse(values[rest], torch.ones(len(rest))).value)
                known = ~close.isnan()
                sums[name, annotator][0] += float(close[known].double().sum())
                sums[name, annotator][1] += int(known.sum())
    return {key: max(total / count, 0.01) if count else 1.0 for key, (total, count) in sums.items()}
