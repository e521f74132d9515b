"""What suits the data a survey found: each choice with its reason."""

from __future__ import annotations

import math
import shlex
from typing import Any, NamedTuple

from crosstask.start.survey import Survey, named
from crosstask.tasks import Depth, Disparity, Normals

ENCODER = "tf_efficientnet_lite0"
_MULTIPLE = 32
_PIXELS = 30_000
_RARE = 0.2
_STEPS = 1000
_PASSES = 60


class Choice(NamedTuple):
    """The value of a key and why."""

    value: Any
    why: str


def size(found: Survey) -> Choice:
    """Height and width to train at: sides of whole strides, the shape of the images, small enough for CPUs."""
    height, width = found.size
    ratio = math.log(width / height)
    best = (_MULTIPLE, _MULTIPLE)
    sides = range(_MULTIPLE, _PIXELS // _MULTIPLE + 1, _MULTIPLE)
    fits = [(h, w) for h in sides for w in sides if h * w <= _PIXELS]
    fits = [(h, w) for h, w in fits if h < height + _MULTIPLE and w < width + _MULTIPLE]
    if fits:
        best = max(fits, key=lambda side: math.log(side[0] * side[1]) - 3 * abs(math.log(side[1] / side[0]) - ratio))
    larger = "" if best[0] >= height else "; larger sees more, given time or a GPU"
    return Choice(list(best), f"height, width; images are {height}x{width} in the median{larger}")


def task_options(found: Survey, name: str) -> list[tuple[str, Choice]]:
    """The options of a task beside its kind, in the order they are written."""
    task = found.tasks[name]
    options: list[tuple[str, Choice]] = []
    if task.kind in ("segmentation", "category", "tags"):
        options.append(_classes(found, name))
    if task.kind in ("segmentation", "category") and _unbalanced(found, name):
        rare = min(float(share) for share in _shares(found, name) if share)
        options.append(("class_weights", Choice("balanced", f"the rarest class has {100 * rare:.2g} % of the labels")))
    if task.kind == "scalars":
        options.append(("names", Choice(len(task.classes) or task.channels, "how many numbers; or a list of names")))
    if isinstance(task, Depth | Disparity) and name in found.typical:
        unit = "metres" if isinstance(task, Depth) else "pixels"
        options.append(("typical", Choice(round(found.typical[name], 3), f"{unit}, the median: where learning starts")))
    if isinstance(task, Depth) and name in found.whole_numbers:
        options.append(("unit", Choice(0.001, "metres per stored integer")))
    if unknown := task.options.get("unknown"):
        options.append(("unknown", Choice(unknown, "stands for no label")))
    for key, value in found.options.get(name, {}).items():
        options = [(other, choice) for other, choice in options if other != key]
        options.append((key, Choice(value, "crosstask check says so")))
    return options


def _classes(found: Survey, name: str) -> tuple[str, Choice]:
    task = found.tasks[name]
    if task.kind == "segmentation" and named(task):
        return "classes", Choice(list(task.classes), "by their ids, as listed beside the table")
    if task.kind == "segmentation":
        unnamed = "ids in the files; give their names in order instead: [floor, wall, ...]"
        return "classes", Choice(task.channels, unnamed)
    if not named(task):
        return "classes", Choice(task.channels, "positions in the cells; or their names, in order")
    return "classes", Choice(list(task.classes), "all that occur, in the order of the network's outputs")


def _shares(found: Survey, name: str) -> list[float]:
    counts = found.counts.get(name)
    return [] if counts is None or not counts.sum() else (counts.double() / counts.sum()).tolist()


def _unbalanced(found: Survey, name: str) -> bool:
    shares = [share for share in _shares(found, name) if share]
    return len(shares) > 1 and min(shares) < _RARE / len(shares)


def objectives(found: Survey) -> list[tuple[str, dict[str, Any], str]]:
    """Name, options and reason of each objective."""
    chosen: list[tuple[str, dict[str, Any], str]] = [("supervised", {}, "the labels there are")]
    kinds = [type(task) for task in found.tasks.values()]
    if kinds.count(Depth) == 1 and kinds.count(Normals) == 1 and found.camera and _apart(found):
        why = f"depth and normals of one surface teach each other, where one is known ({_apart(found):,} rows)"
        chosen.append(("geometry", {"weight": 1.0}, why))
    return chosen


def _apart(found: Survey) -> int:
    """How many rows have a label of depth or of normals, but not of both."""
    names = sorted(name for name, task in found.tasks.items() if isinstance(task, Depth | Normals))
    return sum(found.labelled[name] for name in names) - 2 * found.meet[names[0], names[1]]


def hints(found: Survey) -> list[str]:
    """Objectives that may be worth a try but need something that is not in the table."""
    said = []
    kinds = {name: task.kind for name, task in found.tasks.items()}
    depth, normals = ("depth" in kinds.values()), ("normals" in kinds.values())
    if depth and normals and not found.camera:
        said.append("geometry: depth and normals can teach each other once the table has the camera (fx, fy, cx, cy)")
    elif depth and normals and not any(name == "geometry" for name, _, _ in objectives(found)):
        said.append("geometry: nothing to do where depth and normals are known of the same images")
    for one, kind in kinds.items():
        for other in (name for name, its in kinds.items() if kind == "category" and its == "tags"):
            together = found.meet[min(one, other), max(one, other)]
            asked = ["crosstask", "relate", str(found.table.path), "--of", one, "--to", other, "--out", "r.csv"]
            if together:
                said.append(
                    f"distribution_matching: {one} and {other} meet on {together} rows; count with: {shlex.join(asked)}"
                )
            else:
                said.append(f"distribution_matching: {one} and {other} never meet; it takes a table of how they relate")
    return said


def balancing(found: Survey) -> list[tuple[str, Choice]]:
    """Weights of the tasks whose losses are of another size than a cross-entropy."""
    weights: list[tuple[str, Choice]] = []
    for name, task in found.tasks.items():
        if isinstance(task, Normals):
            weights.append((name, Choice(4.0, "one minus a cosine is small beside a cross-entropy")))
        elif isinstance(task, Depth | Disparity) and found.typical.get(name):
            weight = float(f"{1 / found.typical[name]:.2g}")
            weights.append((name, Choice(weight, "1 / typical: errors count as shares of it")))
    return weights if len(found.tasks) > 1 else []


def length(found: Survey) -> list[tuple[str, Choice]]:
    """Batch size and number of steps."""
    dense = any(task.dense for task in found.tasks.values())
    batch = 8 if dense else 32
    usable = max(found.rows, 1)
    steps = min(max(round(_PASSES * usable / batch), 200), _STEPS)
    passes = steps * batch / usable
    return [
        ("iterations", Choice(steps, f"{passes:.0f} passes over {usable:,} rows; more helps")),
        ("batch_size", Choice(min(batch, usable), "images per step")),
    ]


def mixed(found: Survey) -> bool:
    """Whether sets of labels are few enough for each to be in every batch, and differ."""
    names = list(found.tasks)
    rows = found.table.rows
    if found.splits:
        rows = [row for row in rows if row.get("split") == found.splits["train"]]
    kinds = {tuple(bool(row.get(name)) for name in names) for row in rows}
    return 1 < len(kinds) <= 4
