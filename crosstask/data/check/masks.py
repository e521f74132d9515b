"""Class maps in which other numbers than the ids were meant: smoothed ones, and palettes of greys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from crosstask.data.check.tally import Tally
from crosstask.data.table.matching import first_few
from crosstask.tasks import Segmentation, Task

_ROWS = 96
_APART = 2
"""Ids that follow each other may be in order: layers, or steps of a height."""
_SOME = 50
_SMOOTHED = 0.3
"""Of masks resized by the nearest pixel, to a quarter even, it is 0.06 at most; of smoothed ones 0.57 at least."""
_FLAT = 0.5


def steps(ids: np.ndarray) -> Counter[str]:
    """How some rows of a class map (H, W), -1 unknown, go from pixel to pixel to pixel.

    >>> dict(steps(np.array([[0, 0, 0, 3, 7, 7]])))
    {'known': 4, 'flat': 1, 'sharp': 0, 'through': 1}
    """
    rows = ids[:: max(len(ids) // _ROWS, 1)]
    left, here, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    known = (left >= 0) & (here >= 0) & (right >= 0)
    first, second = (here - left)[known], (right - here)[known]
    between = (first > 0) == (second > 0)
    return Counter(
        known=int(known.sum()),
        flat=int(((first == 0) & (second == 0)).sum()),
        sharp=int(((first == 0) & (abs(second) >= 2 * _APART)).sum()),
        through=int((between & (np.minimum(abs(first), abs(second)) >= _APART)).sum()),
    )


def masks(task: Task, tally: Tally) -> Iterator[tuple[str, str]]:
    """What is told of the masks of a task."""
    if isinstance(task, Segmentation):
        yield from _smoothed(tally.steps[task.name])
        yield from _greys(task, tally)


def _smoothed(steps: Counter[str]) -> Iterator[tuple[str, str]]:
    """Ids between those of two neighbours, where edges were."""
    edges = steps["sharp"] + steps["through"]
    if edges >= _SOME and steps["through"] > _SMOOTHED * edges and steps["flat"] > _FLAT * steps["known"]:
        yield (
            "warning",
            f"{100 * steps['through'] / edges:.0f}% of the edges between classes lead through an id that lies between "
            "the two: were the masks resized or smoothed as photos are? Make them again with the nearest pixel",
        )


def _greys(task: Segmentation, tally: Tally) -> Iterator[tuple[str, str]]:
    """Palettes of greys that may be the ids themselves, or of an order that a program chose."""
    seen = tally.palettes.get(task.name, {})
    shown = {index: next(iter(colours)) for index, colours in sorted(seen.items())}
    if any(len(colours) > 1 for colours in seen.values()) or any(len(set(colour)) > 1 for colour in shown.values()):
        return
    ids, greys = np.array(list(shown), np.int64), np.array([colour[0] for colour in shown.values()], np.int64)
    differ = ids != greys
    if differ.any() and ((np.diff(greys) < 0).any() or _are_ids(task, greys)):
        told = [f"{index} as {grey}" for index, grey in zip(ids[differ], greys[differ], strict=True)]
        yield (
            "warning",
            f"palettes show ids in other greys, {first_few(told, 4)}, and the ids are read: where the greys are meant, "
            "save grey pictures (Image.open(path).convert('L').save(path)) or give colours, the RGB of each class",
        )


def _are_ids(task: Segmentation, greys: np.ndarray) -> bool:
    """Whether all greys are ids that the task knows, and several of them classes."""
    try:
        return int(task.parse(greys[None]).known().sum()) > 1
    except ValueError:
        return False
