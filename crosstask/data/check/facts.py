"""What is remembered of a row once its files were opened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from crosstask.data.check.account import Label
from crosstask.data.decode.files import Unused

Size = tuple[int, int]


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
    """What is remembered of a row.

    Attributes:
        size: height and width of the image, None where it cannot be read.
        digest: hash of the pixels of the image.
        reach: the least and the greatest value of the image, in [0, 1]; None where it is not decoded.
        unused: what of the image's file is not used.
        faults: what is wrong with the row.
        labels: per task, what the label holds.
        blanks: per task, a cell that says nothing though it is not empty.
        turned: columns whose label fits an image that EXIF turns both ways.
        frames: per task of normals, their agreement with those that the depth implies.
        palettes: per class map that is a palette picture, the colours of the ids in it.
        steps: per class map, how its rows go from pixel to pixel.
    """

    size: Size | None = None
    digest: bytes = b""
    reach: tuple[float, float] | None = None
    unused: Unused = field(default_factory=Unused)
    faults: list[Fault] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)
    blanks: dict[str, str] = field(default_factory=dict)
    turned: list[str] = field(default_factory=list)
    frames: dict[str, Tensor] = field(default_factory=dict)
    palettes: dict[str, dict[int, tuple[int, ...]]] = field(default_factory=dict)
    steps: dict[str, Counter[str]] = field(default_factory=dict)
