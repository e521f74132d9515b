"""A named table R[class, attribute] of how the classes of one task are related to those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from crosstask.errors import DataError, nearest


@dataclass(frozen=True)
class Relatedness:
    """Numbers by class and attribute.

    Attributes:
        source: where the table is from, for messages.
        classes: names of the rows.
        attributes: names of the columns.
        values: (A, C) float64; NaN where nothing is known.

    Raises:
        DataError: a name is there twice, or the shape is another.
    """

    source: str
    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    values: Tensor

    def __post_init__(self) -> None:
        for what, names in (("row", self.classes), ("column", self.attributes)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise DataError(f"{self.source}: {what} {twice!r} is there twice: remove one, or give it another name")
        if self.values.shape != (len(self.classes), len(self.attributes)):
            raise DataError(
                f"{self.source}: {tuple(self.values.shape)} values for {len(self.classes)} classes and "
                f"{len(self.attributes)} attributes"
            )

    def require_probabilities(self) -> Relatedness:
        """The table itself, whose cells are all in [0, 1] or unknown.

        Raises:
            DataError: one is not; names the cell.
        """
        wrong = ((self.values < 0) | (self.values > 1) | self.values.isinf()).nonzero()
        if len(wrong):
            row, column = wrong[0].tolist()
            raise DataError(
                f"{self.source}, row {self.classes[row]!r}, column {self.attributes[column]!r}: "
                f"{self.values[row, column]:g} is not in [0, 1]: write a share (0.7 for 70 %), 0 for not related, or "
                "leave the cell blank for unknown"
            )
        return self

    def aligned(self, classes: Sequence[str], attributes: Sequence[str]) -> Relatedness:
        """The rows and columns of these names, in this order; those nobody asks for are left out.

        Raises:
            DataError: a name is missing in the table.
        """
        rows = [self._place(name, self.classes, "row", "class") for name in classes]
        columns = [self._place(name, self.attributes, "column", "attribute") for name in attributes]
        return Relatedness(self.source, tuple(classes), tuple(attributes), self.values[rows][:, columns])

    def binary(self, least: float) -> Relatedness:
        """1 where a cell is at least ``least``, else 0; unknown stays unknown."""
        values = (self.values >= least).to(self.values)
        return replace(self, values=values.where(~self.values.isnan(), torch.nan))

    def informative(self) -> Relatedness:
        """A column in which no cell is above 0 is no statement about its attribute: it becomes unknown.

        Raises:
            DataError: there is no other.
        """
        related = (self.values > 0).any(0)
        if not related.any():
            raise DataError(f"{self.source}: no cell is above 0: no class is related to any attribute")
        return replace(self, values=self.values.where(related, torch.nan))

    def require_shares(self) -> Relatedness:
        """The table itself, each row of which sums to 1 or is wholly unknown, for attributes of which one is true.

        Raises:
            DataError: a row does not.
        """
        for name, row in zip(self.classes, self.values, strict=True):
            total = float(row.sum())
            if not row.isnan().all() and not abs(total - 1) < 1e-3:
                found = "holds unknown cells" if row.isnan().any() else f"sums to {total:g}"
                raise DataError(
                    f"{self.source}, row {name!r}: {found}: the shares of attributes of which one is true sum to 1; "
                    "leave the whole row blank if they are not known"
                )
        return self

    def _place(self, name: str, names: tuple[str, ...], what: str, of: str) -> int:
        if name not in names:
            raise DataError(
                f"{self.source}: no {what} for the {of} {name!r} ({nearest(name, names)}): add it, with blank cells "
                "where nothing is known"
            )
        return names.index(name)
