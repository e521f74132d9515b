"""A look at the labels that a training is about to use: a sample of them, and more where it is suspicious."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crosstask.data.check.finding import Finding
from crosstask.data.check.findings import faults, frames, images
from crosstask.data.check.inspection import inspect_row
from crosstask.data.check.oddities import oddities
from crosstask.data.check.suspicions import idle, suspicions
from crosstask.data.check.tally import Tally
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.errors import DataError
from crosstask.tasks import Task

SAMPLE = 48
"""Labels of each task that are read in any case."""
MOST = 1500
"""Labels of a task that are read before it is refused for what they lack."""


@dataclass(frozen=True)
class Preflight:
    """What the labels of the training samples hold.

    Attributes:
        lines: the account of each task.
        warnings: what is probably not meant.
    """

    lines: list[str]
    warnings: list[str]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def preflight(dataset: Dataset, tasks: Mapping[str, Task], seed: int = 0, skip: bool = False) -> Preflight | None:
    """Read a sample of the labels that will be trained on.

    Args:
        dataset: the training samples, with the labels that are left; made-up rooms need no look.
        tasks: the tasks.
        seed: which labels are looked at.
        skip: files that cannot be read are only told of.

    Raises:
        DataError: a label cannot be read, or nothing can be learnt from the labels of a task: as far as
            :data:`MOST` of them say, and all of them where there are no more.
    """
    found = _rows(dataset)
    if found is None:
        return None
    source, indices = found
    labelled = dataset.labelled().tolist()
    order = list(range(len(indices)))
    random.Random(seed).shuffle(order)
    tally = _look(source, indices, labelled, order, tasks, dict.fromkeys(tasks, SAMPLE))
    if not skip:
        _raise(faults(tally), source)
    training = tuple(tally.accounts)
    told = suspicions(tasks, tally, training) + oddities(tasks, tally, training) + idle(tasks, tally, whole=False)
    doubtful = {finding.where for finding in told if finding.severity == "error"}
    if doubtful:
        most = {name: MOST if name in doubtful else SAMPLE for name in tasks}
        tally = _look(source, indices, labelled, order, tasks, most)
        told = suspicions(tasks, tally, training) + oddities(tasks, tally, training) + idle(tasks, tally, whole=False)
        _raise(told, source)
    told += [*faults(tally), *images(tally), *frames(tasks, tally)]
    for name, blanks in source.blanks.items():
        tally.accounts[training[0]][name].blanks.update(blanks)
    return Preflight(list(_lines(tasks, tally, dataset)), _warnings(told))


def _look(
    source: TableDataset,
    rows: list[int],
    labelled: list[list[bool]],
    order: list[int],
    tasks: Mapping[str, Task],
    most: Mapping[str, int],
) -> Tally:
    """Read up to so many labels of each task, in a given order of the samples."""
    tally = Tally(source.table, tasks, source.readers)
    left = dict(most)
    for place in order:
        if not any(left.values()):
            break
        there = zip(tasks.items(), labelled[place], strict=True)
        wanted = {name: task for (name, task), has in there if has and left[name] > 0}
        if wanted:
            facts = inspect_row(source.table, wanted, rows[place], source.confined, source.readers)
            tally.add(rows[place], facts)
            for name in wanted:
                left[name] -= 1
    return tally


def _rows(dataset: Dataset) -> tuple[TableDataset, list[int]] | None:
    """The table behind samples, and the row of each of them."""
    indices = list(range(len(dataset)))
    while not isinstance(dataset, TableDataset):
        inner = getattr(dataset, "dataset", None)
        if inner is None:
            return None
        places = getattr(dataset, "indices", None)
        indices = indices if places is None else [places[index] for index in indices]
        dataset = inner
    return dataset, indices


def _raise(findings: list[Finding], source: TableDataset) -> None:
    wrong = next((finding for finding in findings if finding.severity == "error"), None)
    if wrong is not None:
        message = wrong.message if wrong.message.startswith("row ") else f"{wrong.where}: {wrong.message}"
        about = f"options of tasks.{wrong.where}; " if wrong.where in source.tasks else ""
        raise DataError(f"{source.table.path}: {message} ({about}crosstask check shows all)")


def _warnings(findings: list[Finding]) -> list[str]:
    return [f"{finding.where}: {finding.message}" for finding in findings if finding.severity == "warning"]


def _lines(tasks: Mapping[str, Task], tally: Tally, dataset: Dataset) -> Iterator[str]:
    """The account in two lines: how much was read, and what each task's labels hold."""
    counts = dataset.labelled().sum(0).tolist()
    read = {name: tally.account(name) for name in tasks}
    looked = ", ".join(f"{name} {read[name].rows} of {count}" for name, count in zip(tasks, counts, strict=True))
    yield f"labels read before training: {looked}"
    yield "; ".join(f"{name}: {account.line(tasks[name])}" for name, account in read.items() if account.rows)
