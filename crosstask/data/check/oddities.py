"""What labels hold that no network should learn from, though each of them is valid: constants, twins, other units."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from crosstask.data.check.account import Account
from crosstask.data.check.finding import Finding
from crosstask.data.check.naming import naming
from crosstask.data.check.tally import Tally
from crosstask.data.table.matching import first_few
from crosstask.data.table.split_names import SPELLINGS
from crosstask.data.table.table import RESERVED, SOURCE, WEIGHT
from crosstask.tasks import Category, Depth, Disparity, Normals, Regression, Saliency, Segmentation, Tagging, Task
from crosstask.tasks.cells import number
from crosstask.tasks.names import are_positions

_APART = 10.0
_ENOUGH = 6
_SEVERAL = 12
_AWAY = 0.3
_PART = 0.2
_NEARLY_ALL = 0.8
_SHARE = 0.02
_STEP = 4.0
_CLOSE = 0.8
_MUCH = 0.05

Told = Iterator[tuple[str, str]]


def oddities(tasks: Mapping[str, Task], tally: Tally, training: Sequence[str]) -> list[Finding]:
    """What is told of each task and of the columns.

    Args:
        tasks: the tasks.
        tally: what was read.
        training: the splits that are trained on.
    """
    found = [Finding("warning", column, text) for column, text in _columns(tally, tasks)]
    found += [Finding("warning", column, text) for column, text in _split_like(tally)]
    for name, task in tasks.items():
        found += [Finding("warning", name, text) for text in naming(task)]
        whole = tally.account(name)
        if not whole.rows:
            continue
        trained = tally.account(name, training)
        found += [Finding(severity, name, text) for severity, text in _palettes(tally, name)]
        for rule in (_never_known, _constant, _alike, _types, _ends, _groups, _positions, _below_zero, _from_one):
            found += [
                Finding(severity, name, text) for severity, text in rule(task, trained if trained.rows else whole)
            ]
        found += [Finding(severity, name, text) for severity, text in _splits(task, tally)]
        if name not in tally.frames:  # beside depth its normals tell more
            found += [
                Finding(severity, name, text) for severity, text in _facing(task, trained if trained.rows else whole)
            ]
    return found


def _never_known(task: Task, account: Account) -> Told:
    """Tags and components that no label knows."""
    never: list[str] = []
    if isinstance(task, Tagging) and account.present is not None and account.absent is not None:
        known = (account.present + account.absent).tolist()
        never = [name for name, count in zip(task.classes, known, strict=True) if not count]
    elif isinstance(task, Regression) and account.numbers:
        columns = np.array(account.numbers, dtype=float).T
        never = [name for name, column in zip(task.classes, columns, strict=True) if np.isnan(column).all()]
    if never and len(never) < task.channels:
        yield "warning", f"never known in the training labels, nothing can be learnt of it: {first_few(never, 6)}"


def _constant(task: Task, account: Account) -> Told:
    """Maps that hold one value."""
    if not isinstance(task, (Depth, Disparity, Normals, Saliency)) or account.rows < 2:
        return
    if account.low == account.high:
        unit = f" {task.unit}" if task.unit in ("m", "px") else ""
        severity = "error" if account.rows >= _ENOUGH else "warning"
        yield severity, f"{task.kind} is {account.low:.4g}{unit} at every pixel of all labels, nothing can be learnt"
    elif account.flat == account.rows:
        what = "direction" if isinstance(task, Normals) else "value"
        yield "warning", f"each label holds one {what} only: are these the right files?"


def _alike(task: Task, account: Account) -> Told:
    """Maps that are the same for most images."""
    if task.dense and account.rows >= _ENOUGH and 2 * account.same >= account.rows:
        yield "warning", "most labels are the same, pixel by pixel, for different images: are they paired rightly?"


def _facing(task: Task, account: Account) -> Told:
    """Normals that point away from the camera, which no visible surface does."""
    if isinstance(task, Normals) and account.away > _AWAY * account.rows:
        yield (
            "warning",
            f"{100 * account.away / account.rows:.0f}% of the normals point away from the camera, which no visible "
            "surface does: set negate (z, or yz for x right, y down, z forward), or the channels are in another order",
        )


def _types(task: Task, account: Account) -> Told:
    """One unit for files of integers and of floats."""
    if isinstance(task, (Depth, Disparity)) and task.file_unit and 0 in account.bits and len(account.bits) > 1:
        yield (
            "error",
            f"unit {task.file_unit:g} is used for files of integers and of floats alike, and both are there: make two "
            f"tables, each with its unit, data.table: [a.csv, {{path: b.csv, {task.name}: {{unit: 1}}}}]",
        )
    elif isinstance(task, (Depth, Disparity)) and 8 in account.bits and account.bits - {0, 8}:
        yield "warning", "files of 8 bits and of more are there: are they in one unit?"


def _ends(task: Task, account: Account) -> Told:
    """A greatest value that many labels share."""
    if not isinstance(task, (Depth, Disparity)) or account.rows < _ENOUGH or account.low == account.high:
        return
    ends = [top for high, top in zip(account.highs, account.tops, strict=True) if high == account.high]
    scale = task.scale if account.bits - {0} else (task.file_unit or 1.0)
    stored = account.high / scale
    if len(ends) < max(3, _PART * account.rows):
        return
    if len(ends) > _NEARLY_ALL * account.rows and (account.high == 1 or (account.bits == {8} and round(stored) == 255)):
        yield (
            "warning",
            f"each label reaches {stored:.5g} exactly: were they normalised one by one? {task.kind} is in "
            f"{'metres' if task.unit == 'm' else 'pixels'}, the same for all images",
        )
    elif float(np.mean(ends)) > _SHARE:
        yield (
            "warning",
            f"{task.kind} ends at {account.high:.5g} {task.unit} exactly in {len(ends)} of {account.rows} labels, at "
            f"{100 * float(np.mean(ends)):.2g}% of their pixels: if that stands for no reading, list {stored:.6g} "
            "under invalid",
        )


def _groups(task: Task, account: Account) -> Told:
    """Files in two units."""
    if not isinstance(task, (Depth, Disparity)) or account.rows < _ENOUGH:
        return
    medians = np.sort(account.medians)
    steps = medians[1:] / np.maximum(medians[:-1], 1e-12)
    place = int(steps.argmax()) + 1
    if steps.max() > _STEP and min(place, len(medians) - place) >= max(2, _PART * len(medians) / 2):
        near, far = np.median(medians[:place]), np.median(medians[place:])
        yield (
            "warning",
            f"labels are of two kinds, {place} around {near:.3g} {task.unit} and {len(medians) - place} around "
            f"{far:.3g} {task.unit} in the median: are their files in another unit?",
        )


def _positions(task: Task, account: Account) -> Told:
    """Positions that seem to begin at 1."""
    if not isinstance(task, (Category, Tagging)) or account.present is None:
        return
    numbered = are_positions(task.classes)
    if not (numbered or "positions" in account.readings):
        return
    if not account.present[0] and int((account.present > 0).sum()) == task.channels - 1 and task.channels > 2:
        yield (
            "warning",
            f"cells are positions, which begin at 0, and 0 ({task.classes[0]!r}) never occurs: if yours begin at 1, "
            "write the names",
        )


def _below_zero(task: Task, account: Account) -> Told:
    """A category -1 beside 0 and 1, which is no label unless something else is said."""
    if not isinstance(task, Category) or task.classes != ["0", "1"] or "unknown" in task.options:
        return
    count = sum(count for text, count in account.blanks.items() if number(text) == -1)
    if account.present is not None and count > _MUCH * (account.rows + count):
        there = [name for name, times in zip(task.classes, account.present.tolist(), strict=True) if times]
        yield (
            "warning",
            f"-1 is no label in {count} rows: give classes: {['-1', *there]} if it is a class beside "
            f"{' and '.join(there)}, otherwise unknown: [-1]",
        )


def _from_one(task: Task, account: Account) -> Told:
    """Class maps whose ids seem to begin at 1."""
    if not isinstance(task, Segmentation) or account.present is None or task.offset or task.remap or task.colours:
        return
    there = account.present > 0
    last = int(there.nonzero().max()) if there.any() else 0
    numbered = are_positions(task.classes)
    if not there[0] and last > 1 and there[1 : last + 1].all() and not numbered:
        yield (
            "warning",
            f"id 0 ({task.classes[0]!r}) is in no label and 1 to {last} are: if ids begin at 1, that is offset: 1",
        )


def _palettes(tally: Tally, name: str) -> Told:
    """Palette pictures in which an id has several colours: each was saved with numbers of its own."""
    seen = tally.palettes.get(name, {})
    several = {index: colours for index, colours in seen.items() if len(colours) > 1}
    if not several:
        return
    index, colours = max(several.items(), key=lambda entry: sum(entry[1].values()))
    places: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for each, counts in seen.items():
        for colour in counts:
            places[colour].add(each)
    told = " and ".join(f"{list(colour)} in {count}" for colour, count in colours.most_common(2))
    swapped = any(len(ids) > 1 and ids & set(several) for ids in places.values())
    yield (
        "error" if swapped else "warning",
        f"palettes differ between files, id {index} is the colour {told} of them: ids mean other things there; give "
        "colours, the RGB of each class, and masks are read by their colours",
    )


def _splits(task: Task, tally: Tally) -> Told:
    """Splits whose labels differ so much that their units do."""
    if not isinstance(task, (Depth, Disparity)):
        return
    medians = {}
    for split in tally.accounts:
        found = tally.account(task.name, [split]).medians
        if len(found) > 1:
            medians[split] = float(np.median(found))
    if len(medians) > 1 and max(medians.values()) > _APART * min(medians.values()):
        told = ", ".join(f"{value:.3g} {task.unit} in {split or 'no split'}" for split, value in medians.items())
        yield "warning", f"splits differ in the median, {told}: are their files in another unit?"


def _split_like(tally: Tally) -> Iterator[tuple[str, str]]:
    """A column that says what the column ``split`` would, which is not there."""
    if "split" in tally.table.columns:
        return
    usual = {spelling for group in SPELLINGS for spelling in group}
    for column in tally.table.columns:
        cells = {str(row.get(column, "")).lower() for row in tally.table.rows} - {""}
        if (
            column not in RESERVED
            and column not in tally.tasks
            and 1 < len(cells) <= _SEVERAL
            and len(cells & usual) > 1
        ):
            yield column, f"holds {', '.join(sorted(cells)[:4])}, and all rows are trained on: call the column split"


def _columns(tally: Tally, tasks: Mapping[str, Task]) -> Iterator[tuple[str, str]]:
    """Columns that are used by nothing, named nearly as a task and filled where that is blank."""
    rows = tally.table.rows
    for column in tally.table.columns:
        if column in RESERVED or column in tasks or column.endswith((WEIGHT, SOURCE)):
            continue
        for task in difflib.get_close_matches(column, list(tasks), n=1, cutoff=_CLOSE):
            count = sum(bool(row.get(column)) and not row.get(task) for row in rows)
            if count:
                yield (
                    column,
                    f"{count} rows have a cell here, which nothing uses, and none of {task!r}: is it that?",
                )
