"""Eqs. 3 to 6 of region-aware distribution contrast (arXiv 2403.10252): which regions are negatives of which, and the
loss. See :mod:`~crosstask.objectives.region_contrast.region_contrast`."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from crosstask.objectives.region_contrast.distances import Described, Distance
from crosstask.ops.contrast import info_nce


class Rows(NamedTuple):
    """What is known of each row of described regions (of sampled pixels, several rows are of one region).

    Attributes:
        map: (R,) int64, the pair of maps the region was cut out of.
        region: (R,) int64, its id there.
        space: (R,) int64, the ordered pair of tasks whose joint space the maps are in.
        category: (R,) int64, its class, -1 where unknown.
    """

    map: Tensor
    region: Tensor
    space: Tensor
    category: Tensor

    def negatives(self, others: Rows, across: bool) -> Tensor:
        """(A, B) bool: other regions of the same joint space that are not known to be of the same class.

        Args:
            others: the rows to choose from.
            across: from all maps; else from the row's own.
        """
        own = self.map[:, None] == others.map
        same_region = own & (self.region[:, None] == others.region)
        same_class = (self.category[:, None] == others.category) & (self.category >= 0)[:, None]
        pool = self.space[:, None] == others.space if across else own
        return pool & ~same_region & ~same_class


class Remembered(NamedTuple):
    """Regions of earlier steps.

    Attributes:
        sides: as described in the maps of predictions, and in those of labels.
        rows: what is known of them.
    """

    sides: tuple[Described, Described]
    rows: Rows


class Contrast(NamedTuple):
    """The loss of a batch of map pairs, of those that have anything to tell apart.

    Attributes:
        loss: (E,) the loss of eq. 6 of each.
        chance: (E,) what guessing would cost: the mean of ln(candidates) over the same anchors.
    """

    loss: Tensor
    chance: Tensor


def contrast_regions(
    source: Described,
    target: Described,
    rows: Rows,
    temperature: Tensor | float,
    distance: Distance,
    negatives: Literal["other", "any"] = "other",
    across: bool = False,
    remembered: Remembered | None = None,
) -> Contrast:
    """Eqs. 3 to 6. Anchors without any negative are left out.

    Args:
        source: the regions in the maps of predictions.
        target: the same in the maps of labels.
        rows: which region of which map they are.
        temperature: tau.
        distance: of all pairs of regions of two sets.
        negatives: other regions of the other map, or of either map: the text of eq. 3 says either, the formula the
            other.
        across: negatives from all maps in the same joint space, not only from the anchor's own.
        remembered: further negatives.
    """
    mask = rows.negatives(rows, across)
    positive = torch.eye(len(mask), dtype=torch.bool, device=mask.device)
    cross = distance(source, target, mask | positive)

    def losses(side: int) -> tuple[Tensor, Tensor]:
        """Of the regions in the maps of predictions (0) or of labels (1), and how many negatives each has."""
        anchors, to_other = (source, target)[side], (cross, cross.T)[side]
        found = [(to_other, mask)]
        if negatives == "any":
            found.append((distance(anchors, anchors, mask), mask))
        if remembered is not None:
            old = rows.negatives(remembered.rows, across=True)
            sought = (1 - side,) if negatives == "other" else (0, 1)
            found += [(distance(anchors, remembered.sides[each], old), old) for each in sought]
        negative, wanted = (torch.cat(each, dim=1) for each in zip(*found, strict=True))
        return info_nce(to_other.diagonal(), negative, wanted, temperature), wanted.sum(1)

    (forward, count), (backward, _) = losses(0), losses(1)  # as many either way
    chance = count.add(1).log()
    return Contrast(*(_per_map(values, count > 0, rows.map) for values in ((forward + backward) / 2, chance)))


def _per_map(values: Tensor, valid: Tensor, maps: Tensor) -> Tensor:
    """Means of the valid values (R,) over each map that has any, (E,)."""
    values, maps = values[valid], maps[valid]
    maps, place = maps.unique(return_inverse=True)
    return values.new_zeros(len(maps)).index_add(0, place, values) / place.bincount()
