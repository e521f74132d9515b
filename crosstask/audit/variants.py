"""What a label file may have suffered, undone: other readings of a dense label.

A reading is tried by how much closer to the prediction it brings the label. Labels are values (C, H, W) with NaN where
unknown (:meth:`~crosstask.tasks.base.Task.values`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFTS = (-0.24, -0.16, -0.08, 0.0, 0.08, 0.16, 0.24)
"""Shares of height and width by which a label may have slipped."""


def mirrored(label: Tensor) -> Tensor:
    """The file left to right, its values as they are."""
    return label.flip(-1)


def upside_down(label: Tensor) -> Tensor:
    """The file top to bottom, its values as they are."""
    return label.flip(-2)


def turned(label: Tensor) -> Tensor:
    """The file turned by half a turn."""
    return label.flip(-2, -1)


def shifted(label: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The label moved back by each pair of :data:`SHIFTS` but none, with the words for what it had suffered; NaN where
    nothing came from."""
    height, width = label.shape[-2:]
    most = round(max(SHIFTS) * height), round(max(SHIFTS) * width)
    padded = F.pad(label, (most[1], most[1], most[0], most[0]), value=torch.nan)
    for down, right in product(SHIFTS, SHIFTS):
        rows, columns = round(down * height), round(right * width)
        if rows or columns:
            words = [f"{abs(share):.1%} {way[share < 0]}" for share, way in (
                (down, ("down", "up")), (right, ("right", "left"))) if share]  # fmt: skip
            top, left = most[0] + rows, most[1] + columns
            yield " and ".join(words), padded[..., top : top + height, left : left + width]


def turned_axes(label: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Vectors (3, H, W) in other frames: an axis negated, or two; two exchanged."""
    for words, signs in (("x", (-1, 1, 1)), ("y", (1, -1, 1)), ("z", (1, 1, -1)), ("x and y", (-1, -1, 1)),
                         ("x and z", (-1, 1, -1)), ("y and z", (1, -1, -1)), ("all axes", (-1, -1, -1))):  # fmt: skip
        yield f"{words} negated", label * label.new_tensor(signs).view(3, 1, 1)
    for words, order in (("x and y", [1, 0, 2]), ("x and z", [2, 1, 0]), ("y and z", [0, 2, 1])):
        yield f"{words} exchanged", label[order]
