"""What one row of a table holds: every file opened, every label parsed, the faults and a few numbers kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crosstask.data.check.frames import agreement, pinhole_guess
from crosstask.data.decode.files import load_image, load_label, load_regions, loader_of
from crosstask.data.table.table import INTRINSICS, WEIGHT, Table
from crosstask.errors import DataError
from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks import CategoryIndex, DepthMap, NormalMap, SemanticMap, Tags, Target, Task

Size = tuple[int, int]
_ENOUGH = 96


class Fault(NamedTuple):
    """Something wrong with one cell.

    Attributes:
        severity: "error" or "warning".
        column: the column of the cell.
        kind: faults of one kind and column are told once, with their number.
        message: where it is, what, the value found and the remedy.
    """

    severity: str
    column: str
    kind: str
    message: str


@dataclass
class Facts:
    """What is remembered of a row, some hundred bytes.

    Attributes:
        size: height and width of the image, None where it cannot be read.
        digest: hash of the pixels of the image.
        faults: what is wrong with the row.
        counts: per task with classes, how many pixels (or samples) each class has.
        depths: per depth task, least, median and greatest depth, and the stored bits per integer value (0 for floats).
        frames: per task of normals, their agreement with those that the depth implies.
    """

    size: Size | None = None
    digest: bytes = b""
    faults: list[Fault] = field(default_factory=list)
    counts: dict[str, Tensor] = field(default_factory=dict)
    depths: dict[str, Tensor] = field(default_factory=dict)
    frames: dict[str, Tensor] = field(default_factory=dict)


def _pixels_per_class(task: Task, target: Target) -> Tensor:
    ids = target.as_subclass(Tensor)
    return torch.bincount(ids[(ids >= 0) & (ids < task.channels)], minlength=task.channels)


def _samples_per_tag(task: Task, target: Target) -> Tensor:
    return (target.as_subclass(Tensor) > 0.5).long()


COUNTS: dict[type[Target], Callable[[Task, Target], Tensor]] = {
    SemanticMap: _pixels_per_class,
    CategoryIndex: lambda task, target: _pixels_per_class(task, target.reshape(1)),
    Tags: _samples_per_tag,
}
"""How the classes of a target are counted, for types of targets that have some."""


def inspect_row(table: Table, tasks: Mapping[str, Task], index: int, confined: bool = False) -> Facts:
    """Open all files of a row and look at what they hold."""
    return _Row(table, index, confined).inspect(tasks)


class _Row:
    def __init__(self, table: Table, index: int, confined: bool) -> None:
        self.table, self.index, self.confined = table, index, confined
        self.row = table.rows[index]
        self.facts = Facts()

    def inspect(self, tasks: Mapping[str, Task]) -> Facts:
        image = self.load("image", load_image)
        if image is not None:
            self.facts.size = (image.shape[-2], image.shape[-1])
            self.facts.digest = hashlib.blake2b((image * 255).byte().numpy().tobytes(), digest_size=16).digest()
        if self.row.get("regions"):
            self.same_size("regions", self.load("regions", load_regions))
        targets: dict[str, Target] = {}
        for name, task in tasks.items():
            if self.row.get(name):
                target = self.label(name, task)
                if target is not None:
                    targets[name] = target
            if self.row.get(name + WEIGHT):
                self.weight(name + WEIGHT)
        self.compare(targets)
        return self.facts

    def fault(self, column: str, kind: str, message: str, severity: str = "error") -> None:
        self.facts.faults.append(Fault(severity, column, kind, f"row {self.row['id']!r}, column {column}: {message}"))

    def load(self, column: str, loader: Callable[[Path], Any]) -> Any:
        try:
            return loader(self.table.resolve(self.index, column, self.confined))
        except DataError as error:
            self.fault(column, "unreadable", str(error))
            return None

    def same_size(self, column: str, label: Tensor | np.ndarray | None) -> None:
        if label is not None and self.facts.size and tuple(label.shape[-2:]) != self.facts.size:
            found, image = ("x".join(map(str, size)) for size in (label.shape[-2:], self.facts.size))
            self.fault(
                column,
                "size",
                f"{self.row[column]} is {found} (height x width) but the image is {image}: resize the label (nearest "
                "pixel) or pair the right files",
            )

    def label(self, column: str, task: Task) -> Target | None:
        stored = self.load(column, loader_of(task)) if task.dense else self.row[column]
        if stored is None:
            return None
        try:
            target = task.parse(stored)
        except ValueError as error:
            self.fault(column, "invalid", f"{self.row[column]}: {error}")
            return None
        if task.dense:
            self.same_size(column, target)
        try:
            task.check(target)
        except ValueError as error:
            self.fault(column, "invalid", f"{self.row[column]}: {error}")
        if not target.known().any():
            self.fault(
                column, "unknown", f"{self.row[column]}: nothing in it is known: blank the cell or mend it", "warning"
            )
        if isinstance(target, DepthMap) and target.known().any():
            plain = target.as_subclass(Tensor)
            known = plain[plain.isfinite()]
            bits = stored.dtype.itemsize * 8 if isinstance(stored, np.ndarray) and stored.dtype.kind in "iu" else 0
            self.facts.depths[column] = torch.tensor([known.min(), known.median(), known.max(), bits])
        if type(target) in COUNTS:
            self.facts.counts[column] = COUNTS[type(target)](task, target)
        return target

    def weight(self, column: str) -> None:
        try:
            float(self.row[column])
        except ValueError:
            self.same_size(column, self.load(column, load_label))

    def compare(self, targets: Mapping[str, Target]) -> None:
        depth = next((target for target in targets.values() if isinstance(target, DepthMap)), None)
        if depth is None:
            return
        cells = [self.row.get(column) for column in INTRINSICS]
        try:
            intrinsics = torch.tensor([float(cell or "nan") for cell in cells])
        except ValueError:
            self.fault("fx", "invalid", f"the intrinsics {cells} are not numbers of pixels")
            return
        size = (depth.shape[-2], depth.shape[-1])
        if not intrinsics.isfinite().all():
            intrinsics = pinhole_guess(size)
        stride = max(min(size) // _ENOUGH, 1)
        thin = (slice(None), slice(None, None, stride), slice(None, None, stride))
        derived = normals_from_depth(depth.as_subclass(Tensor)[thin], intrinsics / stride, window=5, passes=1)
        for name, target in targets.items():
            if isinstance(target, NormalMap) and target.shape[-2:] == size:
                self.facts.frames[name] = agreement(target.as_subclass(Tensor)[thin], derived)


_shared: tuple[Table, Mapping[str, Task], bool]


def _begin(table: Table, tasks: Mapping[str, Task], confined: bool) -> None:
    global _shared
    torch.set_num_threads(1)
    _shared = table, tasks, confined


def _inspect(index: int) -> Facts:
    table, tasks, confined = _shared
    return inspect_row(table, tasks, index, confined)


def inspect(table: Table, tasks: Mapping[str, Task], workers: int = 0, confined: bool = False) -> Iterator[Facts]:
    """The facts of all rows, in order; ``workers`` other processes open the files, or this one for 0."""
    if not workers:
        for index in range(len(table)):
            yield inspect_row(table, tasks, index, confined)
        return
    with get_context("spawn").Pool(workers, _begin, (table, dict(tasks), confined)) as pool:
        yield from pool.imap(_inspect, range(len(table)), chunksize=8)
