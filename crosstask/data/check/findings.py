"""What is worth telling about a table, from the facts of its rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crosstask.data.check.frames import best_frame
from crosstask.data.check.inspection import Facts, Fault
from crosstask.data.table.matching import first_few
from crosstask.data.table.table import Table
from crosstask.errors import nearest
from crosstask.tasks import Normals, Task

SEVERITIES = ("error", "warning", "info")

_FAR, _NEAR = 100.0, 0.05
_MARGIN, _RATIO = 0.05, 1.5
_PIXELS = 300


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        severity: "error" (training will fail, or numbers will be wrong), "warning" (probably not what was meant) or
            "info".
        where: the column or split it is about; "" for the whole table.
        message: what, where, the value found and the remedy.
    """

    severity: str
    where: str
    message: str


def faults(facts: Sequence[Facts]) -> list[Finding]:
    """The faults of all rows, one finding per column and kind."""
    kinds: dict[tuple[str, str], list[Fault]] = defaultdict(list)
    for row in facts:
        for fault in row.faults:
            kinds[fault.column, fault.kind].append(fault)
    return [
        Finding(
            faults[0].severity,
            column,
            faults[0].message + (f" (and {len(faults) - 1} more rows like it)" if len(faults) > 1 else ""),
        )
        for (column, _), faults in kinds.items()
    ]


def coverage(
    table: Table, tasks: Mapping[str, Task], coverage: dict[str, dict[str, int]], rows: dict[str, int], training: str
) -> list[Finding]:
    """Tasks and rows without labels."""
    findings = []
    for name in tasks:
        total = sum(counts[name] for counts in coverage.values())
        if name not in table.columns:
            others = [column for column in table.columns if column != name]
            findings.append(Finding("error", name, f"no column {name!r} for the task: {nearest(name, others)}"))
        elif not total:
            findings.append(Finding("error", name, "no row has a label: fill the column or leave the task out"))
        elif not coverage[training][name]:
            where = f"of split {training!r} " if training else ""
            message = f"no row {where}has a label, {total} others do: nothing can be learnt for this task"
            findings.append(Finding("warning", name, message))
    bare = sum(not any(row.get(name) for name in tasks) for row in table.rows)
    if bare and tasks:
        findings.append(Finding("info", "", f"{bare} of {len(table)} rows have no label of any task"))
    if "" in rows and len(rows) > 1:
        findings.append(Finding("warning", "split", f"{rows['']} rows are in no split: no command will use them"))
    return findings


def duplicates(table: Table, facts: Sequence[Facts], splits: Sequence[str]) -> list[Finding]:
    """Images that are there twice, across splits or within one."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index, row in enumerate(facts):
        if row.digest:
            alike[row.digest].append(index)
    groups = [indices for indices in alike.values() if len(indices) > 1]
    leaks = [indices for indices in groups if len({splits[index] for index in indices}) > 1]
    findings = []
    if leaks:
        pair = next((a, b) for a in leaks[0] for b in leaks[0] if splits[a] != splits[b])
        named = " and ".join(f"row {table.ids[index]!r} of split {splits[index]!r}" for index in pair)
        message = f"{len(leaks)} images are in more than one split, {named} have the same pixels: remove them from one"
        findings.append(Finding("error", "split", message))
    within = [indices for indices in groups if indices not in leaks]
    if within:
        named = " and ".join(repr(table.ids[index]) for index in within[0][:2])
        message = (
            f"{len(within)} images are there more than once, rows {named} have the same pixels: merge their labels"
        )
        findings.append(Finding("warning", "image", message))
    return findings


def sizes(facts: Sequence[Facts]) -> list[Finding]:
    """Whether the images differ in size."""
    sizes = Counter(row.size for row in facts if row.size)
    if len(sizes) < 2:
        return []
    smallest, largest = min(sizes, key=lambda size: size[0] * size[1]), max(sizes, key=lambda size: size[0] * size[1])
    ends = " to ".join("x".join(map(str, size)) for size in (smallest, largest))
    return [Finding("info", "image", f"images have {len(sizes)} sizes, {ends} (height x width): set data.size")]


def count_classes(facts: Sequence[Facts], splits: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """Per task with classes and split, how many pixels or samples each class has."""
    sums: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for row, split in zip(facts, splits, strict=True):
        for name, counts in row.counts.items():
            sums[name][split] = sums[name].get(split, 0) + counts
    return dict(sums)


def absent_classes(tasks: Mapping[str, Task], classes: dict[str, dict[str, Tensor]], training: str) -> list[Finding]:
    """Classes that are never labelled, or not where they could be learnt."""
    findings = []
    for name, counts in classes.items():
        everywhere = torch.stack(list(counts.values())).sum(0)
        trained = counts.get(training, torch.zeros_like(everywhere))
        names = tasks[name].classes
        unseen = [names[i] for i in range(len(names)) if not trained[i] and everywhere[i]]
        never = [names[i] for i in range(len(names)) if not everywhere[i]]
        if unseen and training in counts:
            message = f"never in the labels of split {training!r} but in others: {first_few(unseen, 6)}"
            findings.append(Finding("warning", name, message))
        if never:
            findings.append(Finding("info", name, f"never in any label: {first_few(never, 6)}"))
    return findings


def depth_ranges(facts: Sequence[Facts]) -> dict[str, tuple[float, float, float]]:
    """Per depth task: least, median (of the medians of the images) and greatest depth."""
    found: dict[str, list[Tensor]] = defaultdict(list)
    for row in facts:
        for name, numbers in row.depths.items():
            found[name].append(numbers)
    stacked = {name: torch.stack(numbers) for name, numbers in found.items()}
    return {
        name: (float(all_[:, 0].min()), float(all_[:, 1].median()), float(all_[:, 2].max()))
        for name, all_ in stacked.items()
    }


def units(tasks: Mapping[str, Task], facts: Sequence[Facts]) -> list[Finding]:
    """Depth that is probably read in the wrong unit."""
    findings = []
    for name, (low, median, high) in depth_ranges(facts).items():
        bits = {int(row.depths[name][3]) for row in facts if name in row.depths}
        scale = getattr(tasks[name], "scale", 1.0)
        spread = f"depth is {low:.3g} to {high:.3g} m, {median:.3g} in the median"
        if median > _FAR:
            guess, factor = "millimetres read as metres", 0.001
        elif median < _NEAR:
            guess, factor = "metres read as millimetres", 1000
        elif bits == {8} and high < 1:
            findings.append(Finding("warning", name, f"{spread}, from 8-bit files: set unit, now {scale:g} m per step"))
            continue
        else:
            findings.append(Finding("info", name, spread))
            continue
        remedy = "files of floats are taken for metres, store them so" if 0 in bits else f"set unit: {scale * factor:g}"
        findings.append(Finding("warning", name, f"{spread}: looks like {guess}: {remedy}"))
    return findings


def frames(tasks: Mapping[str, Task], facts: Sequence[Facts]) -> list[Finding]:
    """Normals whose axes do not fit those of the normals that the depth implies."""
    sums: dict[str, Tensor] = {}
    for row in facts:
        for name, products in row.frames.items():
            sums[name] = sums.get(name, torch.zeros(3, 4, dtype=torch.float64)) + products
    findings = []
    for name, products in sums.items():
        if products[0, 3] < _PIXELS:
            continue
        frame = best_frame(products)
        if frame.cosine - frame.plain < _MARGIN or 1 - frame.plain < _RATIO * (1 - frame.cosine):
            message = f"mean cosine {frame.plain:.2f} with the normals that the depth implies"
            findings.append(Finding("info", name, message))
            continue
        if frame.axes == "xyz":
            remedy = f"{' and '.join(frame.negate)} look negated: set negate: {_negate(tasks[name], frame.negate)}"
        else:
            signed = ", ".join(f"-{axis}" if "xyz"[i] in frame.negate else axis for i, axis in enumerate(frame.axes))
            remedy = f"x, y, z look like {signed} of what is stored: reorder the channels of the files"
        cosines = f"mean cosine {frame.plain:.2f} with the normals it implies, {frame.cosine:.2f} once changed"
        findings.append(Finding("warning", name, f"normals do not fit the depth ({cosines}): {remedy}"))
    return findings


def _negate(task: Task, found: str) -> str:
    """The option ``negate`` that also undoes the signs ``found``, given that the task negates some axes already."""
    assert isinstance(task, Normals)
    now = {axis for axis, sign in zip("xyz", task.signs.flatten(), strict=True) if sign < 0}
    return "".join(sorted(now ^ set(found))) or '""'
