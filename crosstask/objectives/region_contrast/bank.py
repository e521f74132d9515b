"""Regions of earlier steps, to be contrasted with those of this one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crosstask.objectives.region_contrast.distances import Described
from crosstask.objectives.region_contrast.loss import Remembered, Rows


class RegionBank(nn.Module):
    """The newest regions of earlier steps, without gradient; first in, first out.

    Everything is in the ``state_dict``, so that a resumed run meets the same negatives.

    Args:
        size: how many regions are kept.
        shapes: shapes of the description of one region.
    """

    values: Tensor
    space: Tensor
    category: Tensor
    next: Tensor

    def __init__(self, size: int, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.shapes = list(shapes)
        self.register_buffer("values", torch.zeros(size, 2, sum(map(math.prod, shapes))))
        self.register_buffer("space", torch.full((size,), -1))
        self.register_buffer("category", torch.full((size,), -1))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))

    def read(self) -> Remembered:
        """Copies of what is there."""
        filled = self.space >= 0
        source, target = self.values[filled].unbind(1)
        none = torch.full_like(self.space[filled], -1)
        rows = Rows(none, none, self.space[filled], self.category[filled])
        return Remembered((self._described(source), self._described(target)), rows)

    @torch.no_grad()
    def add(self, source: Described, target: Described, rows: Rows) -> None:
        """Take in new regions, in place of the oldest."""
        size, new = len(self.values), min(len(self.values), len(rows.space))
        place = (self.next + torch.arange(new, device=self.next.device)) % size
        values = [torch.cat([each.flatten(1) for each in side], dim=1) for side in (source, target)]
        self.values[place] = torch.stack(values, dim=1)[-new:].to(self.values)
        self.space[place], self.category[place] = rows.space[-new:], rows.category[-new:]
        self.next.add_(new).remainder_(size)

    def _described(self, values: Tensor) -> Described:
        parts = values.split([math.prod(shape) for shape in self.shapes], dim=1)
        return tuple(part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True))
