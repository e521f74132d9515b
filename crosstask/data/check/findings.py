"""What is worth telling about a table, from the facts of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crosstask.data.check.finding import SEVERITIES, Finding
from crosstask.data.check.frames import best_frame
from crosstask.data.check.tally import Tally
from crosstask.data.table.table import WEIGHT, Table
from crosstask.errors import nearest
from crosstask.tasks import Normals, Task

__all__ = ["SEVERITIES", "Finding"]

_MARGIN, _RATIO = 0.05, 1.5
_PIXELS = 300
_NARROW = 0.25
"""What 14 bits are of 16."""
_SEVERAL = 2


def faults(tally: Tally) -> list[Finding]:
    """The faults of all rows, one finding per column and kind."""
    return [
        Finding(fault.severity, column, fault.message + (f" (and {count - 1} more rows like it)" if count > 1 else ""))
        for (column, _), (fault, count) in tally.faults.items()
    ]


def coverage(
    table: Table,
    tasks: Mapping[str, Task],
    coverage: dict[str, dict[str, int]],
    rows: dict[str, int],
    training: Sequence[str],
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
        elif not any(coverage[split][name] for split in training):
            named = ", ".join(map(repr, training))
            where = f"of split {named} " if any(training) else ""
            message = f"no row {where}has a label, {total} others do: nothing can be learnt for this task"
            findings.append(Finding("warning", name, message))
    bare = sum(not any(row.get(name) for name in tasks) for row in table.rows)
    if bare and tasks:
        findings.append(Finding("info", "", f"{bare} of {len(table)} rows have no label of any task"))
    return findings


def weights(tally: Tally) -> list[Finding]:
    """Labels of which some rows have weights and others none."""
    findings = []
    for name in tally.tasks:
        column = name + WEIGHT
        labelled = [row for row in tally.table.rows if row.get(name)]
        bare = sum(not row.get(column) for row in labelled)
        if column in tally.table.columns and 0 < bare < len(labelled):
            message = f"blank in {bare} of {len(labelled)} labelled rows: all of their label counts, with weight 1"
            findings.append(Finding("warning", column, message))
    return findings


def duplicates(tally: Tally, splits: Sequence[str]) -> list[Finding]:
    """Images that are there twice, across splits or within one."""
    table, groups = tally.table, tally.groups()
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


def images(tally: Tally) -> list[Finding]:
    """Whether the images differ in size, are turned, nearly flat, or have bands or pages that are not used."""
    findings = []
    sizes = tally.sizes
    if len(sizes) > 1:
        ordered = sorted(sizes, key=lambda size: size[0] * size[1])
        small, large = ("x".join(map(str, size)) for size in (ordered[0], ordered[-1]))
        message = f"images have {len(sizes)} sizes, {small} to {large} (height x width): set data.size"
        findings.append(Finding("info", "image", message))
    if tally.banded:
        message = f"{tally.banded} images have a fourth band (alpha, infrared), which is not used: three colours are"
        findings.append(Finding("warning", "image", message))
    if tally.paged:
        most = max(tally.paged)
        message = (
            f"{tally.paged.total()} images have several pages, up to {most}, of which the first is used: save the "
            "right one alone, or three bands as one RGB picture or array"
        )
        findings.append(Finding("warning", "image", message))
    findings += _reach(tally)
    for column, count in tally.turned.items():
        findings.append(
            Finding(
                "warning",
                column,
                f"{count} images are turned by EXIF so that their labels fit both ways: they are taken to be as the "
                "image is seen; give orientation: stored where they were drawn on the stored pixels, else upright",
            )
        )
    return findings


def _reach(tally: Tally) -> list[Finding]:
    """Images that use little of the range of their files."""
    low, high = tally.reach or (0.0, 1.0)
    if high - low > _NARROW or tally.done < _SEVERAL:
        return []
    message = (
        f"all images lie between {low:.3g} and {high:.3g} of the range of their files (0 to 1): were fewer bits stored "
        "than the files have, 12 in 16 say? Stretch the values to the whole range"
    )
    return [Finding("warning", "image", message)]


def frames(tasks: Mapping[str, Task], tally: Tally) -> list[Finding]:
    """Normals whose axes do not fit those of the normals that the depth implies."""
    findings = []
    for name, products in tally.frames.items():
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
