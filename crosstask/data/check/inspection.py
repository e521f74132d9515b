"""What one row of a table holds: every file opened, every label parsed, the faults and a few numbers kept."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crosstask.data.check.account import account_of
from crosstask.data.check.facts import Facts, Fault
from crosstask.data.check.frames import agreement, pinhole_guess
from crosstask.data.check.masks import steps
from crosstask.data.decode.files import (
    image_size,
    load_image,
    load_numbers,
    load_regions,
    loader_of,
    orientation,
    palette,
    unused,
)
from crosstask.data.decode.labels import Read, ambiguous, load_beside, weights_of
from crosstask.data.loading.stored import orientation_of
from crosstask.data.table.blanks import says_nothing
from crosstask.data.table.sources import Readers
from crosstask.data.table.table import INTRINSICS, ORIGIN, WEIGHT, Table
from crosstask.engine import Engine
from crosstask.engine.engine import cpus
from crosstask.errors import DataError, RunError
from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks import DepthMap, NormalMap, Segmentation, Target, Task

_ENOUGH = 96
_WIDEST = 0.1
"""The shortest focal length that a camera has, of the longer side: 157 degrees across."""
_PART = 8


def inspect_row(
    table: Table,
    tasks: Mapping[str, Task],
    index: int,
    confined: bool = False,
    readers: Readers = MappingProxyType({}),
    images: bool = True,
) -> Facts:
    """Open all files of a row and look at what they hold.

    Args:
        table: the table.
        tasks: the tasks to look at; those without a label in the row are passed over.
        index: the row.
        confined: refuse paths that leave the table's folder.
        readers: the tasks of rows whose column ``origin`` says so.
        images: decode the image too; otherwise no more than its size is read, beside labels of pixels.
    """
    return _Row(table, index, confined, images).inspect(readers.get(table.rows[index].get(ORIGIN, ""), tasks), tasks)


class _Row:
    def __init__(self, table: Table, index: int, confined: bool, images: bool) -> None:
        self.table, self.index, self.confined, self.images = table, index, confined, images
        self.row = table.rows[index]
        self.facts = Facts()

    def inspect(self, reading: Mapping[str, Task], tasks: Mapping[str, Task]) -> Facts:
        if self.images:
            self.image()
        elif any(task.dense and self.row.get(name) for name, task in reading.items()):
            self.facts.size = self.load("image", image_size)
        if self.row.get("regions"):
            self.same_size("regions", self.load("regions", load_regions))
        targets: dict[str, Target] = {}
        for name in tasks:
            task = reading[name]
            if self.row.get(name) and says_nothing(task, self.row[name]):
                self.facts.blanks[name] = self.row[name]
            elif self.row.get(name):
                target = self.label(name, task)
                if target is not None:
                    targets[name] = target
            if self.row.get(name + WEIGHT):
                self.weight(name + WEIGHT, task, targets.get(name))
        self.compare(targets)
        self.camera()
        return self.facts

    def image(self) -> None:
        """Decode the image."""
        image = self.load("image", load_image)
        if image is not None:
            self.facts.size = (image.shape[-2], image.shape[-1])
            self.facts.digest = hashlib.blake2b((image * 255).byte().numpy().tobytes(), digest_size=16).digest()
            self.facts.reach = (float(image.min()), float(image.max()))
            self.facts.unused = unused(self.table.resolve(self.index, "image", self.confined))

    def camera(self) -> None:
        """Intrinsics that are none, or those of another image."""
        try:
            fx, fy, cx, cy = (float(self.row.get(column) or "nan") for column in INTRINSICS)
        except ValueError:
            return  # told where it is used
        if min(fx, fy) <= 0 or math.inf in (fx, fy, abs(cx), abs(cy)):
            self.fault("fx", "focal", f"the focal length is {fx:g}, {fy:g}: give pixels, or blank the four cells")
        elif self.facts.size and max(fx, fy) < _WIDEST * max(self.facts.size):
            self.fault(
                "fx",
                "focal",
                f"the focal length is {fx:g}, {fy:g} for an image of {'x'.join(map(str, self.facts.size))} (height x "
                "width), in millimetres or as shares perhaps: give it in pixels (fx and cx times the image's width, fy "
                "and cy times its height, where they are shares)",
            )
        elif self.facts.size and not (-1 < cx < self.facts.size[1] and -1 < cy < self.facts.size[0]) and cx == cx:
            shown = "x".join(map(str, self.facts.size))
            self.fault(
                "cx",
                "camera",
                f"the principal point is {cx:g}, {cy:g}, outside the image ({shown}, height x width): give the camera "
                "of the image as it is stored (fx and cx scale with its width, fy and cy with its height)",
                "warning",
            )

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
        if task.dense and self.row[column] == self.row["image"]:
            self.fault(column, "image", f"{self.row[column]} is the image itself: name the label's file")
            return None
        stored = self.stored(column, task, loader_of(task)) if task.dense else self.row[column]
        if stored is None:
            return None
        self.palette(column, task, stored)
        try:
            target = task.parse(stored)
        except ValueError as error:
            self.fault(column, "invalid", f"{self.row[column]}: {error}")
            return None
        if task.dense:
            self.same_size(column, target)
        if isinstance(task, Segmentation):
            self.facts.steps[column] = steps(target.numpy())
        try:
            task.check(target)
        except ValueError as error:
            self.fault(column, "invalid", f"{self.row[column]}: {error}")
        whole = target.as_subclass(Tensor).clone() if self.row.get(column + WEIGHT) else None
        self.measured(column, task, target)
        if not target.known().any():
            self.fault(
                column, "unknown", f"{self.row[column]}: nothing in it is known: blank the cell or mend it", "warning"
            )
        label = account_of(task, stored, target, self.is_turned(task))
        if whole is not None:  # what only the weights leave out is no value's doing
            label.unknown = task.unknown_by(stored, whole)
            label.unknown["weight 0"] += int(task.known(whole).sum() - task.known(target).sum())
            label.unknown += Counter()  # without what is 0
        self.facts.labels[column] = label
        return target

    def palette(self, column: str, task: Task, stored: object) -> None:
        """The colours that a palette picture gives the ids it holds."""
        if not isinstance(task, Segmentation) or task.colours is not None or not isinstance(stored, np.ndarray):
            return
        colours = palette(self.table.resolve(self.index, column, self.confined)) if stored.dtype == np.uint8 else None
        if colours is not None:
            held = [index for index in np.unique(stored).tolist() if index < len(colours)]
            self.facts.palettes[column] = {index: tuple(colours[index].tolist()) for index in held}

    def is_turned(self, task: Task) -> bool:
        """Whether EXIF turns the image; where a convention is about that."""
        return task.orientation != "auto" and bool(self.facts.size) and self.turn != 1

    @cached_property
    def turn(self) -> int:
        """How EXIF turns the image."""
        return orientation(self.table.resolve(self.index, "image", self.confined))

    def stored(self, column: str, task: Task, read: Read = load_numbers) -> np.ndarray | None:
        """The array of a label file, turned as its image is."""
        size, lies = self.facts.size, orientation_of(self.row, column, task)

        def load(path: Path) -> np.ndarray:
            if size is None:
                return read(path)
            image = self.table.resolve(self.index, "image", self.confined)
            if lies == "auto" and self.turn != 1 and ambiguous(path, image) != 1:
                self.facts.turned.append(column)
            return load_beside(path, image, size, lies, read)

        return self.load(column, load)

    def measured(self, column: str, task: Task, target: Target) -> None:
        """Make unknown what the weights of a dense label leave out."""
        cell = self.row.get(column + WEIGHT)
        if not cell or not task.dense:
            return
        try:
            left_out = np.full(target.shape[-2:], float(cell) <= 0)
        except ValueError:
            stored = self.stored(column + WEIGHT, task)
            if stored is None or stored.shape[:2] != tuple(target.shape[-2:]):
                return
            left_out = weights_of(stored) <= 0
        target.as_subclass(Tensor)[..., torch.from_numpy(left_out)] = target.UNKNOWN

    def weight(self, column: str, task: Task, target: Target | None) -> None:
        try:
            if not 0 <= float(self.row[column]) < math.inf:
                self.fault(column, "invalid", f"{self.row[column]}: a weight is a number of at least 0")
        except ValueError:
            stored = self.stored(column, task) if task.dense else self.load(column, load_numbers)
            self.same_size(column, None if stored is None else weights_of(stored))

    def compare(self, targets: Mapping[str, Target]) -> None:
        depth = next((target for target in targets.values() if isinstance(target, DepthMap)), None)
        if depth is None:
            return
        facing = {name: target for name, target in targets.items() if isinstance(target, NormalMap)}
        cells = [self.row.get(column) for column in INTRINSICS]
        try:
            intrinsics = torch.tensor([float(cell or "nan") for cell in cells])
        except ValueError:
            self.fault("fx", "invalid", f"the intrinsics {cells} are not numbers of pixels")
            return
        if not facing:
            return
        size = (depth.shape[-2], depth.shape[-1])
        if not intrinsics.isfinite().all():
            intrinsics = pinhole_guess(size)
        stride = max(min(size) // _ENOUGH, 1)
        thin = (slice(None), slice(None, None, stride), slice(None, None, stride))
        derived = normals_from_depth(depth.as_subclass(Tensor)[thin], intrinsics / stride, window=5, passes=1)
        for name, target in facing.items():
            if target.shape[-2:] == size:
                self.facts.frames[name] = agreement(target.as_subclass(Tensor)[thin], derived)


@dataclass(frozen=True)
class _Inspect:
    """The facts of the rows of a part of a table."""

    tasks: Mapping[str, Task]
    confined: bool
    readers: Readers
    images: bool

    def __call__(self, part: Table) -> list[Facts]:
        options = self.confined, self.readers, self.images
        return [inspect_row(part, self.tasks, index, *options) for index in range(len(part))]


class _Parts(Sequence[Table]):
    """A table in parts of some rows: workers get theirs, and never the whole table."""

    def __init__(self, table: Table, size: int) -> None:
        self.table, self.size = table, size

    def __len__(self) -> int:
        return -(-len(self.table) // self.size)

    def __getitem__(self, index: Any) -> Any:
        if index >= len(self):
            raise IndexError(index)
        return replace(self.table, rows=self.table.rows[index * self.size : (index + 1) * self.size])


def inspect(
    table: Table,
    tasks: Mapping[str, Task],
    engine: Engine = Engine(workers=0),
    confined: bool = False,
    readers: Readers = MappingProxyType({}),
    images: bool = True,
) -> Iterator[Facts]:
    """The facts of all rows, in order; see :func:`inspect_row`.

    Rows are handed out in parts, and no part far before those ahead of it are taken: what is in memory does not grow
    with the table.

    Raises:
        RunError: a part takes down every process that tries it.
    """
    parts = _Parts(table, 1 if engine.here else min(_PART, -(-len(table) // (2 * (engine.workers or cpus())))))
    for ended in engine.map(_Inspect(dict(tasks), confined, dict(readers), images), parts, ordered=True):
        if ended.value is None:
            first, last = ended.item.ids[0], ended.item.ids[-1]
            raise RunError(
                f"{table.path}: the process that opened rows {first!r} to {last!r} died each time ({ended.reason}), "
                "for want of memory perhaps: use fewer --workers"
            )
        yield from ended.value
