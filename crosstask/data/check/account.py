"""What the labels of a task hold, counted while they are read: known, unknown and why, classes, range."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from crosstask.data.check.conventions import Effect, effect
from crosstask.tasks import Category, Depth, Disparity, Normals, Saliency, Segmentation, Tagging, Task
from crosstask.tasks.base import Task as Base

_SEVERAL = 3
_FEW = 4
_SOME, _MANY, _FAR = 2000, 16, 5.0


@dataclass
class Label:
    """What one label holds.

    Attributes:
        entries: how many entries (pixels, tags, components) there are.
        unknown: how many of them are unknown, by the stored value that says so.
        present: per class, pixels or samples that have it; None for kinds without classes.
        absent: per tag, samples known not to have it; None for other kinds.
        values: least, median and greatest known value; NaN without.
        numbers: the known numbers of an image-level label, NaN unknown.
        bits: bits of a stored integer, 0 for floats and text.
        reading: how the cell or file was read, where there are several ways.
        effect: which of the declared conventions occur in it.
        flat: whether all that is known of a map is the same.
        away: the share of known normals that point away from the camera.
        digest: of a map that is not flat; 0 for others.
        top: the share of the known pixels that have the greatest value, where that stands apart; 0 elsewhere.
        levels: the stored values of a map of saliency that has few; None for more.
    """

    entries: int
    unknown: Counter[str]
    present: Tensor | None = None
    absent: Tensor | None = None
    values: tuple[float, float, float] = (float("nan"),) * 3
    numbers: tuple[float, ...] = ()
    bits: int = 0
    reading: str = ""
    effect: Effect = field(default_factory=Effect)
    flat: bool = False
    away: float = 0.0
    digest: int = 0
    top: float = 0.0
    levels: frozenset[float] | None = frozenset()


def account_of(task: Base, stored: object, target: Tensor, turned: bool = False) -> Label:
    """What a label holds that was parsed from ``stored``, the array of a file or a cell; EXIF may turn its image."""
    plain = target.as_subclass(Tensor)
    known = task.known(target)
    label = Label(known.numel(), task.unknown_by(stored, target), reading=task.reading(stored))
    label.effect = effect(task, stored, turned)
    if isinstance(stored, np.ndarray) and stored.dtype.kind in "iu":
        label.bits = stored.dtype.itemsize * 8
    if isinstance(task, (Segmentation, Category)):
        ids = plain.reshape(-1)
        label.present = torch.bincount(ids[(ids >= 0) & (ids < task.channels)], minlength=task.channels)
    elif isinstance(task, Tagging):
        label.present, label.absent = (plain > 0.5).long(), (plain <= 0.5).long()
    elif isinstance(task, (Depth, Disparity, Saliency)) and known.any():
        seen = plain[~plain.isnan()]
        label.values = (float(seen.min()), float(seen.median()), float(seen.max()))
        label.top = _top(seen)
        if isinstance(task, Saliency):
            held = np.unique(np.asarray(stored))
            label.levels = frozenset(held.tolist()) if len(held) <= _FEW else None
    elif isinstance(task, Normals) and known.any():
        label.away = float((plain[2][known] < 0).float().mean())
    elif not task.dense:
        label.numbers = tuple(plain.reshape(-1).tolist())
    if task.dense and known.any():
        seen = plain.reshape(-1, *known.shape[-2:])[:, known.reshape(-1, *known.shape[-2:])[0]]
        label.flat = bool((seen == seen[:, :1]).all())
        label.digest = 0 if label.flat else zlib.crc32(plain.contiguous().numpy().tobytes())
    return label


def _top(values: Tensor) -> float:
    """The share of the greatest value among many, or where it is far beyond all others; 0 elsewhere."""
    highest = values.max()
    below = values[values < highest]
    if not len(below):
        return 0.0
    some = values[:: max(len(values) // _SOME, 1)]
    apart = len(some.unique()) > _MANY or float(highest) > _FAR * float(below.max())
    return 1 - len(below) / len(values) if apart else 0.0


@dataclass
class Account:
    """What the labels of one task in one split hold.

    Attributes:
        rows: rows with a label.
        entries: their entries.
        unknown: those that are unknown, by the stored value that says so.
        blanks: cells that say nothing though they are not empty, by what they hold.
        present: per class, pixels or samples that have it.
        absent: per tag, samples known not to have it.
        low: the least value in the set.
        high: the greatest.
        medians: the median of each label.
        highs: the greatest value of each label.
        tops: the shares of pixels that have it, of all labels.
        levels: the stored values, where all labels have few; None for more.
        numbers: image-level numbers of each row.
        bits: bits of stored integers that occur.
        readings: how many cells or files were read in each way.
        flat: how many maps hold one value only.
        away: shares of normals that point away from the camera, summed.
        same: how many more maps are the same as one of them than are not (a majority vote: 0 where none is frequent).
        voted: the digest of that one.
    """

    rows: int = 0
    entries: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    blanks: Counter[str] = field(default_factory=Counter)
    present: Tensor | None = None
    absent: Tensor | None = None
    low: float = float("nan")
    high: float = float("nan")
    medians: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    levels: frozenset[float] | None = frozenset()
    numbers: list[tuple[float, ...]] = field(default_factory=list)
    bits: set[int] = field(default_factory=set)
    readings: Counter[str] = field(default_factory=Counter)
    flat: int = 0
    away: float = 0.0
    same: int = 0
    voted: int = 0

    def add(self, label: Label) -> None:
        """Count one more label."""
        self.rows += 1
        self.entries += label.entries
        self.unknown.update(label.unknown)
        self.flat += label.flat
        self.away += label.away
        if not self.same:
            self.voted = label.digest
        self.same += 1 if label.digest and label.digest == self.voted else -1 if self.same else 0
        if len(self.unknown) > _MOST:  # colours, say: what is rare is told together
            kept = dict(self.unknown.most_common(_MOST // 2))
            self.unknown = Counter(kept) + Counter({"others": self.unknown.total() - sum(kept.values())})
        if label.present is not None:
            self.present = label.present.clone() if self.present is None else self.present + label.present
        if label.absent is not None:
            self.absent = label.absent.clone() if self.absent is None else self.absent + label.absent
        if label.values[0] == label.values[0]:
            self.low = float(np.fmin(self.low, label.values[0]))
            self.high = float(np.fmax(self.high, label.values[2]))
            self.medians.append(label.values[1])
            self.highs.append(label.values[2])
            self.tops.append(label.top)
            self.levels = None if self.levels is None or label.levels is None else self.levels | label.levels
            self.bits.add(label.bits)
        if label.numbers:
            self.numbers.append(label.numbers)
        if label.reading:
            self.readings[label.reading] += 1

    @property
    def known(self) -> int:
        """How many entries are known."""
        return self.entries - self.unknown.total()

    def line(self, task: Task) -> str:
        """The account in a line: how much is known, what made the rest unknown, what the labels hold."""
        if not self.rows:
            return "no label"
        parts = [f"{share(self.known, self.entries)} known"]
        if self.unknown:
            parts.append("unknown: " + self.why(_SEVERAL))
        if self.blanks:
            told = ", ".join(f"{text!r} in {count}" for text, count in self.blanks.most_common(_SEVERAL))
            parts.append(f"no label: {told} rows")
        if self.present is not None:
            parts.append(f"{int((self.present > 0).sum())} of {task.channels} classes occur")
        elif self.low == self.low:
            parts.append(f"{self.low:.4g} to {self.high:.4g}{f' {task.unit}' if task.unit in ('m', 'px') else ''}")
        elif self.numbers:
            columns = np.array(self.numbers, dtype=float).T
            lows, highs = (reduce(columns, axis=1) for reduce in (np.fmin.reduce, np.fmax.reduce))
            named = zip(task.classes, lows.tolist(), highs.tolist(), strict=True)
            parts.append(", ".join(f"{name} {low:.3g} to {high:.3g}" for name, low, high in list(named)[:_SEVERAL]))
        return "; ".join(parts)

    def why(self, most: int = 5) -> str:
        """The values that make entries unknown, with their shares."""
        common = self.unknown.most_common(most)
        told = [f"{value} {share(count, self.entries)}" for value, count in common]
        return ", ".join(told) + (", ..." if len(self.unknown) > most else "")


def share(part: int, whole: int) -> str:
    """A share in percent, never rounded to nothing or all."""
    percent = 100 * part / max(whole, 1)
    if 0 < percent < 0.1 or 99.9 < percent < 100:
        return f"{'<' if percent < 1 else '>'}{'0.1' if percent < 1 else '99.9'}%"
    return f"{percent:.3g}%"


_MOST = 1000
