"""Which of the conventions that a recipe declares have an effect on the labels at hand; the others are mistakes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from crosstask.data.table.matching import first_few
from crosstask.data.table.sources import Readers
from crosstask.data.table.table import ORIGIN, Table
from crosstask.tasks import Category, Saliency, Segmentation, Task
from crosstask.tasks.cells import Marks, value_of
from crosstask.tasks.names import SEPARATOR

_VALUES = ("invalid", "ignore", "absent", "unknown")
_USUAL = {"ignore": (255, 65535, -1), "unknown": (-1,)}
"""What stands for unknown without being declared: it does no harm where it never occurs."""
_SHARE = 0.01


class Declared(NamedTuple):
    """One value of one convention, ``invalid: 65535`` say."""

    option: str
    value: Any

    def __str__(self) -> str:
        return f"{self.option}: {self.value:g}" if isinstance(self.value, float) else f"{self.option}: {self.value}"


class Effect(NamedTuple):
    """What of the conventions a label shows.

    Attributes:
        used: what occurs in it.
        could: what it could hold, as far as the type of its values says.
    """

    used: frozenset[Declared] = frozenset()
    could: frozenset[Declared] = frozenset()


def declared(task: Task) -> list[Declared]:
    """The values a task declares, one by one, without those that are usual anyway."""
    found = []
    for option in _VALUES:
        given = task.options.get(option) if option in task.conventions else None
        usual = _USUAL.get(option, ()) if isinstance(task, (Segmentation, Category)) else ()
        values = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
        found += [Declared(option, value) for value in values if value not in usual]
    found += [Declared("remap", key) for key in task.options.get("remap") or ()]
    if isinstance(task, Segmentation) and task.colours is not None:
        found += [Declared("colours", name) for name, rgb in zip(task.classes, task.colours, strict=True) if rgb >= 0]
    if task.options.get("orientation") in ("stored", "upright"):
        found.append(Declared("orientation", task.options["orientation"]))
    return found


def effect(task: Task, stored: object, turned: bool = False) -> Effect:
    """What of the declared conventions occurs in a label.

    Args:
        task: the task, as it reads the label.
        stored: the array of a file, or a cell.
        turned: whether EXIF turns the image.
    """
    named = declared(task)
    if not named:
        return Effect()
    used = {each for each in named if each.option == "orientation" and turned}
    could = {each for each in named if each.option in ("orientation", "colours", "remap")}
    if not isinstance(stored, np.ndarray):
        parts = _parts(stored)
        marks = {each for each in named if each.option in _VALUES}
        used |= {each for each in marks if any(part in Marks([each.value]) for part in parts)}
        return Effect(frozenset(used), frozenset(marks | could))
    if any(each.option == "colours" for each in named):
        assert isinstance(task, Segmentation)
        present = set(np.unique(task.parse(stored).numpy()).tolist())
        used |= {each for each in named if each.option == "colours" and task.classes.index(each.value) in present}
    levels = {each: float(each.value) for each in named if each.option in ("remap", "invalid", "ignore")}
    could |= {each for each, level in levels.items() if _can_hold(task, stored, level)}
    used |= {each for each in could & set(levels) if (stored == levels[each]).any()}
    return Effect(frozenset(used), frozenset(could))


def _can_hold(task: Task, stored: np.ndarray, value: float) -> bool:
    if stored.dtype.kind == "f":
        return not (isinstance(task, Saliency) and task.scale is None and task.remap is None and 0 <= value <= 1)
    if not math.isfinite(value) or value != int(value):
        return False
    limits = np.iinfo(stored.dtype) if stored.dtype.kind in "iu" else None
    return value in (0, 1) if limits is None else limits.min <= value <= limits.max


def _parts(cell: object) -> list[Any]:
    value = value_of(cell)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):
        return [value, *(part.strip() for part in value.split(SEPARATOR))]
    return list(value) if isinstance(value, (list, tuple)) else [value]


class Uses:
    """Which conventions had an effect, by table and task.

    Attributes:
        seen: labels read and their summed effects, by the table they are from and task.
    """

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], tuple[int, Effect]] = {}

    def add(self, origin: str, task: str, found: Effect) -> None:
        """Count the effects of one more label."""
        count, before = self.seen.get((origin, task), (0, Effect()))
        self.seen[origin, task] = count + 1, Effect(before.used | found.used, before.could | found.could)

    def of(self, task: str, origin: str | None = None) -> tuple[int, Effect]:
        """The labels of a task that were read and their effects, of one table or of all."""
        chosen = [seen for (table, name), seen in self.seen.items() if name == task and origin in (None, table)]
        used = frozenset().union(*(each.used for _, each in chosen))
        return sum(count for count, _ in chosen), Effect(used, frozenset().union(*(each.could for _, each in chosen)))


def without_effect(
    tasks: Mapping[str, Task], uses: Uses, readers: Readers, unlisted: Mapping[str, list[tuple[str, int]]], whole: bool
) -> Iterator[tuple[str, str, str]]:
    """Severity, task and what is told of conventions that have no effect on these labels.

    Args:
        tasks: the tasks.
        uses: what had an effect.
        readers: the tasks of tables with conventions of their own.
        unlisted: per task, stored values that stand for nothing and make much unknown, with their entries.
        whole: whether all labels were read; of a sample only that is told which no such file could hold.
    """
    for name, task in tasks.items():
        yield from _idle(name, declared(task), "", uses.of(name), unlisted.get(name, []), whole)
        for origin, reading in readers.items():
            own = [each for each in declared(reading[name]) if each not in declared(task)]
            yield from _idle(name, own, f" of {origin}", uses.of(name, origin), unlisted.get(name, []), whole)


def _idle(
    name: str,
    named: list[Declared],
    where: str,
    seen: tuple[int, Effect],
    unlisted: list[tuple[str, int]],
    whole: bool,
) -> Iterator[tuple[str, str, str]]:
    count, found = seen
    if not count:
        return
    impossible = [each for each in named if each not in found.could]
    if impossible:
        told = first_few([str(each) for each in impossible], 4)
        yield (
            "error",
            name,
            f"{told} can have no effect: the values{where} are of a type that cannot hold it: leave it out",
        )
    if not whole:
        return
    idle = [each for each in named if each not in found.used and each not in impossible]
    listed = [each for each in idle if each.option in ("remap", "colours")]
    values = [each for each in idle if each not in listed]
    if values:
        told = first_few([str(each) for each in values], 4)
        why = "no image is turned by EXIF" if values[0].option == "orientation" else f"no label{where} holds it"
        yield "error", name, f"{told} has no effect, {why}: correct it, or leave it out"
    if listed:
        all_of = [each for each in named if each.option == listed[0].option]
        keys = first_few([str(each.value) for each in listed], 6)
        told = f"{listed[0].option} lists {keys}, which no label{where} holds"
        mistaken = len(unlisted) == len(listed) or len(listed) == len(all_of)
        others = ", ".join(value for value, _ in unlisted[:6])
        if mistaken and others:
            yield "error", name, f"{told}, and not {others}, which becomes unknown: correct what is listed"
        elif mistaken and len(listed) == len(all_of):
            yield "error", name, f"{told}: it has no effect, correct it or leave it out"
        else:
            yield "info", name, told


def unlisted_values(task: Task, unknown: Mapping[str, int], entries: int) -> list[tuple[str, int]]:
    """Stored values that ``remap`` or ``colours`` does not list and that make a share of the pixels unknown."""
    if not (task.options.get("remap") or task.options.get("colours")):
        return []
    meant = {str(value) for value in (*getattr(task, "ignored", ()), 255, -1)} | {"nan", "others"}
    return [(value, count) for value, count in unknown.items() if value not in meant and count >= _SHARE * entries]


def tables_without_labels(table: Table, tasks: Mapping[str, Task], readers: Readers) -> Iterator[tuple[str, str]]:
    """Tasks of which a table gives conventions and no label."""
    for origin, reading in readers.items():
        for name, task in tasks.items():
            if reading[name] is task:
                continue
            if not any(row.get(ORIGIN) == origin and row.get(name) for row in table.rows):
                yield (
                    name,
                    f"data.table gives conventions for {name} in {origin}, which has no label of it: leave them out",
                )
