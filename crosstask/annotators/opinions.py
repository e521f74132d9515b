"""Opinions on one value, by kind: how close two are, in which measure, and what several say together.

Values are targets (:class:`~crosstask.tasks.targets.Target`) with unknown entries marked. ``V`` opinions have the shape
(V, ...), their weights (V,).
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.errors import UserError
from crosstask.tasks.base import Task

NEAR = 0.1
"""Share by which two lengths may differ and count as the same opinion."""


class Fused(NamedTuple):
    """One value, and the share of the weight that stands behind it, in [0, 1], 0 where unknown; in the shape of the
    value's known mask."""

    value: Tensor
    confidence: Tensor


class Opinions(abc.ABC):
    """Opinions of one kind.

    Attributes:
        measure: the name of what :meth:`difference` measures, with its unit.
    """

    measure: str

    @abc.abstractmethod
    def fuse(self, values: Tensor, weights: Tensor) -> Fused:
        """One value of several."""

    @abc.abstractmethod
    def close(self, first: Tensor, second: Tensor) -> Tensor:
        """How much each entry agrees, in [0, 1]; NaN where one is unknown."""

    @abc.abstractmethod
    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """How far apart known entries are, in the unit of :attr:`measure`; NaN where one is unknown."""


class Classes(Opinions):
    """Class ids, -1 unknown: the class with the most weight; unknown where two have as much."""

    measure = "different %"

    def __init__(self, count: int) -> None:
        self.count = count

    def fuse(self, values: Tensor, weights: Tensor) -> Fused:
        """See :class:`Opinions`."""
        votes = torch.zeros(self.count, *values.shape[1:], dtype=torch.float64)
        for value, weight in zip(values, weights.tolist(), strict=True):
            votes.scatter_add_(0, value.clamp(min=0)[None], (value >= 0)[None].double() * weight)
        best = votes.topk(min(2, self.count), 0)
        total = votes.sum(0)
        second = best.values[1] if self.count > 1 else torch.zeros_like(total)
        known = (total > 0) & (best.values[0] > second + 1e-9 * total)
        share = best.values[0] / total.clamp(min=1e-12)
        return Fused(best.indices[0].where(known, -1), share.where(known, 0.0).float())

    def close(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return (first == second).float().where((first >= 0) & (second >= 0), torch.nan)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return 100 * (1 - self.close(first, second))


class Presence(Opinions):
    """Presence of each tag, 0 or 1, NaN unknown: the weighted majority; unknown where both have as much."""

    measure = "different %"

    def fuse(self, values: Tensor, weights: Tensor) -> Fused:
        """See :class:`Opinions`."""
        known = ~values.isnan()
        weight = weights.reshape(-1, *[1] * (values.ndim - 1)).double() * known
        share = (weight * (values.nan_to_num(0) > 0.5)).sum(0) / weight.sum(0)
        decided = (share - 0.5).abs() > 1e-9
        value = (share > 0.5).float().where(decided, torch.nan)
        return Fused(value, torch.maximum(share, 1 - share).where(decided, 0.0).float())

    def close(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return ((first > 0.5) == (second > 0.5)).float().where(~(first.isnan() | second.isnan()), torch.nan)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return 100 * (1 - self.close(first, second))


class Numbers(Opinions):
    """Numbers (depth, disparity, saliency, scalars), NaN unknown: the weighted median, the middle of the two values
    between which half of the weight lies on each side.

    Args:
        relative: compare by ratio (lengths), not by difference.
        channel: whether a map has an axis of one channel that its known mask has not.
    """

    def __init__(self, relative: bool, channel: bool) -> None:
        self.relative, self.channel = relative, channel
        self.measure = "abs rel %" if relative else "abs"

    def fuse(self, values: Tensor, weights: Tensor) -> Fused:
        """See :class:`Opinions`."""
        order = values.nan_to_num(torch.inf).argsort(dim=0, stable=True)
        ranked = values.gather(0, order)
        weight = weights.reshape(-1, *[1] * (values.ndim - 1)).double() * ~values.isnan()
        upto = weight.gather(0, order).cumsum(0)
        half = upto[-1:] / 2
        low = (upto < half * (1 - 1e-9)).sum(0, keepdim=True).clamp(max=len(values) - 1)
        high = (upto <= half * (1 + 1e-9)).sum(0, keepdim=True).clamp(max=len(values) - 1)
        last = (~values.isnan()).sum(0, keepdim=True).sub(1).clamp(min=0)
        middle = (ranked.gather(0, low) + ranked.gather(0, torch.minimum(high, last)))[0] / 2
        near = self.close(values, middle[None]).nan_to_num(0)
        share = ((near * weight).sum(0) / weight.sum(0)).nan_to_num(0).float()
        return Fused(middle, share[0] if self.channel else share)

    def close(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        apart = self.difference(first, second) / (100 if self.relative else 1)
        return (apart <= NEAR).float().where(~apart.isnan(), torch.nan)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        apart = (first - second).abs()
        return 200 * apart / (first + second) if self.relative else apart


class Directions(Opinions):
    """Unit vectors (3, ...), NaN unknown: the direction of the weighted mean, and its length as confidence."""

    measure = "degrees"

    def fuse(self, values: Tensor, weights: Tensor) -> Fused:
        """See :class:`Opinions`."""
        weight = weights.reshape(-1, *[1] * (values.ndim - 1)).float() * ~values.isnan().any(1, keepdim=True)
        mean = (values.nan_to_num(0) * weight).sum(0) / weight.sum(0)
        length = mean.square().sum(0).sqrt()
        known = length > 1e-6
        unit = (mean / length.where(known, 1.0)).where(known, torch.nan)
        return Fused(unit, length.clamp(max=1).where(known, 0.0))

    def close(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return (first * second).sum(-3).clamp(0, 1)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """See :class:`Opinions`."""
        return (first * second).sum(-3).clamp(-1, 1).acos().rad2deg()


def opinions_of(task: Task) -> Opinions:
    """What opinions on a task are.

    Raises:
        UserError: a kind of task of whose opinions nothing is known.
    """
    kinds = {
        "segmentation": lambda: Classes(len(task.classes)),
        "category": lambda: Classes(len(task.classes)),
        "tags": Presence,
        "depth": lambda: Numbers(True, True),
        "disparity": lambda: Numbers(True, True),
        "saliency": lambda: Numbers(False, True),
        "scalars": lambda: Numbers(False, False),
        "normals": Directions,
    }
    if task.kind not in kinds:
        raise UserError(f"{task.name}: opinions on {task.kind} cannot be compared: leave its columns out")
    return kinds[task.kind]()
