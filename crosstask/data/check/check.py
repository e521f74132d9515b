"""A look at a whole table before any training: what is labelled, what is broken, what looks mis-specified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from torch import Tensor

from crosstask.data.check import findings as find
from crosstask.data.check.finding import SEVERITIES, Finding
from crosstask.data.check.inspection import inspect
from crosstask.data.check.oddities import oddities
from crosstask.data.check.report import Report
from crosstask.data.check.suspicions import idle, suspicions
from crosstask.data.check.tally import Tally
from crosstask.data.table.infer import infer_tasks
from crosstask.data.table.sources import Readers
from crosstask.data.table.split_names import spelled, used_splits
from crosstask.data.table.table import Table
from crosstask.engine import Engine
from crosstask.tasks import Task


def check(
    table: Table,
    tasks: Mapping[str, Task] | None = None,
    *,
    training: str = "train",
    validation: str = "val",
    test: str = "test",
    engine: Engine = Engine(workers=0),
    confined: bool = False,
    readers: Readers = MappingProxyType({}),
    progress: Callable[[int, int], None] | None = None,
    images: bool = True,
) -> Report:
    """Open every file of a table and say what is in it.

    Args:
        table: the table.
        tasks: the tasks of a recipe by name; guessed from the table for None.
        training: name of the training split.
        validation: name of the validation split.
        test: name of the test split.
        engine: where files are opened; by default in this process.
        confined: refuse paths that leave the table's folder.
        readers: the tasks of rows whose column ``origin`` says so.
        progress: called with (rows done, rows in all).
        images: decode the images too, to find broken and equal ones.
    """
    findings: list[Finding] = []
    if tasks is None:
        tasks, notes = infer_tasks(table)
        findings += [Finding(note.severity, "", str(note)) for note in notes]
    tally = Tally(table, tasks, readers)
    for index, facts in enumerate(inspect(table, tasks, engine, confined, readers, images)):
        tally.add(index, facts)
        if progress is not None:
            progress(index + 1, len(table))
    splits = [row.get("split", "") for row in table.rows]
    rows = dict(Counter(splits))
    coverage = {
        split: {
            name: sum(bool(row.get(name)) for row in table.rows if row.get("split", "") == split)
            - tally.accounts[split][name].blanks.total()
            for name in tasks
        }
        for split in rows
    }
    first = _training(rows, training)
    findings += find.faults(tally)
    findings += find.coverage(table, tasks, coverage, rows, first)
    findings += _unused(table, tasks, training, validation, test)
    findings += find.duplicates(tally, splits)
    findings += find.images(tally)
    findings += find.weights(tally)
    findings += suspicions(tasks, tally, first)
    findings += oddities(tasks, tally, first)
    findings += idle(tasks, tally, whole=True)
    findings += find.frames(tasks, tally)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(table, tasks, findings, coverage, rows, _classes(tally), _depths(tally), tally.accounts)


def _training(rows: Mapping[str, int], training: str) -> tuple[str, ...]:
    """The splits that are trained on: those of the recipe, or the first one there is."""
    named = [name for name in used_splits(list(rows), training, "", "").train if name in rows]
    return tuple(named) or (next(iter(rows)),)


def _unused(table: Table, tasks: Mapping[str, Task], training: str, validation: str, test: str) -> list[Finding]:
    """Labelled rows of splits that no command uses."""
    if not table.splits:
        return []
    used = used_splits(table.splits, training, validation, test)
    findings = []
    for split in (*used.unused, ""):
        count = sum(row.get("split", "") == split and any(row.get(name) for name in tasks) for row in table.rows)
        if count and not split:
            findings.append(Finding("warning", "split", f"{count} rows are in no split: no command will use them"))
        elif count:
            message = (
                f"{count} labelled rows of split {split!r} are used by nothing (train {training!r}, validation "
                f"{validation!r}, test {test!r}): name it with data.train_split, data.validation_split or test_split"
            )
            findings.append(Finding("warning", "split", message))
    for name, option in ((training, "train_split"),):
        if spelled(name, table.splits) is None and not any(spelled(part, table.splits) for part in name.split(",")):
            findings.append(
                Finding("warning", "split", f"no row of split {name!r}: name the training split with data.{option}")
            )
    return findings


def _classes(tally: Tally) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for split, accounts in tally.accounts.items():
        for name, account in accounts.items():
            if account.present is not None:
                found.setdefault(name, {})[split] = account.present
    return found


def _depths(tally: Tally) -> dict[str, tuple[float, float, float]]:
    ranges = {}
    for name, task in tally.tasks.items():
        whole = tally.account(name)
        if task.kind == "depth" and whole.medians:
            ranges[name] = (whole.low, float(np.median(whole.medians)), whole.high)
    return ranges
