"""What the account of a task's labels makes suspicious: all of one state, on another scale, marks that were missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from crosstask.data.check.account import Account, share
from crosstask.data.check.conventions import tables_without_labels, unlisted_values, without_effect
from crosstask.data.check.finding import Finding
from crosstask.data.check.masks import masks
from crosstask.data.check.tally import Tally
from crosstask.data.table.matching import first_few
from crosstask.tasks import Category, Depth, Disparity, Regression, Saliency, Segmentation, Tagging, Task
from crosstask.tasks.cells import number

_FAR, _FARTHER, _NEAR = 100.0, 1000.0, 0.05
_MUCH = 0.05
_APART = 2.5
_ALONE = 20
_HALF = 0.5
_NEARLY = 0.95
_ENOUGH = 8


def suspicions(tasks: Mapping[str, Task], tally: Tally, training: Sequence[str]) -> list[Finding]:
    """What is told of each task.

    Args:
        tasks: the tasks.
        tally: what was read.
        training: the splits that are trained on; what cannot be learnt from them is an error.
    """
    findings = []
    for name, task in tasks.items():
        whole = tally.account(name)
        if not whole.rows:
            continue
        trained = tally.account(name, training)
        for rules in (_states, _classes, _readings, _numbers, _scales):
            findings += [Finding(severity, name, text) for severity, text in rules(task, whole, trained)]
        findings += [Finding(severity, name, text) for severity, text in (*_tables(task, tally), *masks(task, tally))]
    return findings


Told = Iterator[tuple[str, str]]


def _ignored(task: Task, account: Account) -> str:
    """The value that makes much unknown, and what to do about it; empty where none does."""
    value, count = (account.unknown.most_common(1) or [("", 0)])[0]
    if isinstance(task, Category) and number(value) is not None and count >= _MUCH * account.entries:
        return f"; {value} makes {share(count, account.entries)} unknown: name it in classes if it is one"
    if not isinstance(task, Segmentation) or count < _MUCH * account.entries or value in ("nan", "-1"):
        return ""
    if value == "weight 0":
        return f"; weights of 0 leave {share(count, account.entries)} of the pixels out"
    missing = [] if account.present is None else [i for i in range(task.channels) if not account.present[i]]
    if task.colours is not None:
        gone = share(count, account.entries)
        return f"; the colour {value} stands for no class and makes {gone} unknown: add it to colours"
    remap = ""
    if len(missing) == 1 and task.remap is None and value.lstrip("-").isdecimal():
        others = [f"{index + task.offset}: {index}" for index in range(task.channels) if index != missing[0]][:6]
        remap = f", remap: {{{', '.join([*others, f'{value}: {missing[0]}'])}}} if it is {task.classes[missing[0]]!r}"
    return f"; {value} makes {share(count, account.entries)} of the pixels unknown{remap or ': set ignore or remap'}"


def _states(task: Task, whole: Account, trained: Account) -> Told:
    """Labels of which one state is left: nothing can be learnt, and any score is perfect."""
    account = trained if trained.rows else whole
    where = "training labels" if trained.rows else "labels"
    wrong = "error" if task.dense or account.rows >= _ENOUGH else "warning"  # a few may agree by chance
    if isinstance(task, (Segmentation, Category)) and account.present is not None and task.channels > 1:
        there = [task.classes[i] for i in range(task.channels) if account.present[i]]
        if len(there) == 1:
            yield wrong, f"the {where} hold {there[0]!r} alone, nothing can be learnt{_ignored(task, account)}"
        elif not there:
            yield wrong, f"nothing in the {where} is known{_ignored(task, account)}"
    if isinstance(task, Tagging) and account.present is not None and account.absent is not None:
        known = (account.present + account.absent) > 0
        if not bool((account.absent[known] > 0).any()):
            yield (
                wrong,
                f"no tag is ever known to be absent in the {where}: an image without a tag is '-' or leaves it out; "
                "give 0 or 1 for each tag, or a category if there is one tag per image",
            )
        elif not bool((account.present[known] > 0).any()):
            yield wrong, f"no tag is ever present in the {where}, nothing can be learnt"
        else:
            always = [task.classes[i] for i in range(task.channels) if known[i] and not account.absent[i]]
            if always:
                yield "warning", f"never absent in the {where}: {first_few(always, 6)}"
    if isinstance(task, Saliency) and account.low == account.low:
        if account.high < _HALF:
            yield (
                "error",
                f"saliency is {account.high:.3g} at most in all {where}, no pixel is figure: set scale "
                f"({task.scale or 'automatic'} now) to the stored value that stands for 1, or remap",
            )
        elif account.low > _HALF:
            yield (
                "error",
                f"saliency is {account.low:.3g} at least in all {where}, no pixel is ground: set scale or remap",
            )
        elif account.high < _NEARLY and account.rows > 1:
            yield (
                "warning",
                f"saliency is {account.high:.3g} at most in all {where}: where the largest stored value stands for 1, "
                "give it as scale",
            )
        levels = sorted(account.levels or ())
        if len(levels) == 3 and account.rows > 1:
            yield (
                "warning",
                f"saliency has the levels {', '.join(f'{level:g}' for level in levels)} alone: if {levels[1]:g} stands "
                f"for unknown, say so with ignore: {levels[1]:g}",
            )


def _classes(task: Task, whole: Account, trained: Account) -> Told:
    """Classes that are never labelled, or not where they could be learnt."""
    if whole.present is None:
        return
    seen = trained.present if trained.present is not None else torch.zeros_like(whole.present)
    names = task.classes
    unseen = [names[i] for i in range(len(names)) if not seen[i] and whole.present[i]]
    never = [names[i] for i in range(len(names)) if not whole.present[i]]
    if unseen and trained.rows:
        yield "warning", f"never in the training labels but in others: {first_few(unseen, 6)}"
    if never and len(never) < len(names):
        ignored = _ignored(task, whole)
        severity = "warning" if ignored or 2 * len(never) >= len(names) else "info"
        yield severity, f"never in any label: {first_few(never, 6)}{ignored}"
    if isinstance(task, Segmentation) and task.colours is not None:
        other = sum(count for value, count in whole.unknown.items() if value != "weight 0")
        if other >= _MUCH * whole.entries and not _ignored(task, whole):
            yield (
                "warning",
                f"{share(other, whole.entries)} of the pixels have other colours than those listed ({whole.why(3)}): "
                "were the masks resized or smoothed?",
            )


def _readings(task: Task, whole: Account, trained: Account) -> Told:
    """Cells or files that were read in different ways."""
    if len(whole.readings) < 2:
        return
    told = ", ".join(f"{count} as {reading}" for reading, count in whole.readings.most_common())
    if isinstance(task, Saliency):
        yield "error", f"files are read on different scales ({told}): set scale to the stored value that stands for 1"
    else:
        severity = "error" if "positions" in whole.readings and isinstance(task, Tagging) else "warning"
        yield severity, f"cells are read in different ways ({told}): write all of them in one"


def _numbers(task: Task, whole: Account, trained: Account) -> Told:
    """Image-level numbers that look like marks, or never change."""
    if not isinstance(task, Regression) or not whole.numbers:
        return
    for name, column in zip(task.classes, np.array(whole.numbers, dtype=float).T, strict=True):
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        if len(values) == 1 and counts[0] > 1:
            yield "warning", f"{name} is {values[0]:g} in every row: nothing can be learnt of it"
        if len(values) < 3:
            continue
        for mark, near, far in ((0, 1, -1), (-1, -2, 0)):
            gap, span = abs(values[mark] - values[near]), abs(values[near] - values[far])
            rest = f"{min(values[near], values[far]):g} to {max(values[near], values[far]):g}"
            if gap > (_APART if counts[mark] > 1 else _ALONE) * span and values[mark] == int(values[mark]):
                yield (
                    "warning",
                    f"{name} is {values[mark]:g} in {counts[mark]} rows and {rest} in all others: set unknown: "
                    f"[{values[mark]:g}] if it stands for none",
                )


def _scales(task: Task, whole: Account, trained: Account) -> Told:
    """Depth that is probably read in the wrong unit."""
    if not isinstance(task, Depth) or not whole.medians:
        return
    median = float(np.median(whole.medians))
    spread = f"depth is {whole.low:.3g} to {whole.high:.3g} m, {median:.3g} in the median"
    floats = 0 in whole.bits
    now = task.file_unit or (1.0 if floats else task.scale)
    if whole.bits == {8} and whole.high < 1:
        yield "warning", f"{spread}, from 8-bit files: set unit, now {task.scale:g} m per step"
    elif median > _FAR:
        other = f" ({now * 0.01:g} if they are centimetres)" if median < _FARTHER else ""
        yield "warning", f"{spread}: looks like millimetres read as metres: set unit: {now * 0.001:g}{other}"
    elif median < _NEAR:
        yield "warning", f"{spread}: looks like metres read as millimetres: set unit: {now * 1000:g}"
    elif whole.bits == {16} and task.file_unit is None and whole.high < 1:
        stored = round(whole.high / task.scale)
        yield "warning", f"{spread}: files of 16 bits reach {stored} only: are they millimetres? (unit: 0.01 for cm)"
    else:
        yield "info", spread


def idle(tasks: Mapping[str, Task], tally: Tally, whole: bool) -> list[Finding]:
    """Conventions that have no effect on these labels, all of which were read (``whole``) or a sample."""
    unlisted = {}
    for name, task in tasks.items():
        account = tally.account(name)
        unlisted[name] = unlisted_values(task, account.unknown, account.entries)
    told = without_effect(tasks, tally.uses, tally.readers, unlisted, whole)
    found = [Finding(severity, name, text) for severity, name, text in told]
    return found + [Finding("error", *each) for each in tables_without_labels(tally.table, tasks, tally.readers)]


def _tables(task: Task, tally: Tally) -> Told:
    """Tables whose labels differ so much that their units probably do."""
    if not isinstance(task, (Depth, Disparity)):
        return
    medians = {
        origin: float(np.median(each[task.name])) for origin, each in tally.origins.items() if each.get(task.name)
    }
    if len(medians) > 1 and max(medians.values()) > _APART * min(medians.values()):
        told = ", ".join(f"{value:.3g} in {origin}" for origin, value in medians.items())
        yield (
            "warning",
            f"tables differ in the median, {told}: where their files have another unit say so, data.table: "
            f"[{{path: {min(medians, key=lambda name: medians[name])}, {task.name}: {{unit: ...}}}}, ...]",
        )
