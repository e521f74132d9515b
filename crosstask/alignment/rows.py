"""The rows of a table of alignments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Estimate:
    """A mean over batches.

    Attributes:
        mean: NaN without batches.
        error: its standard error; NaN with fewer than two.
        batches: how many there were.
    """

    mean: float
    error: float
    batches: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Mean and standard error of the values that are numbers.

        >>> Estimate.of([0.1, 0.3, float("nan")])
        Estimate(mean=0.2, error=0.0999..., batches=2)
        """
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return cls(math.nan, math.nan, 0)
        error = stdev(known) / math.sqrt(len(known)) if len(known) > 1 else math.nan
        return cls(fmean(known), error, len(known))


@dataclass(frozen=True)
class Row:
    """How well a method's objectives agree with one task's hidden labels.

    Attributes:
        method: the method.
        task: the task.
        place: where gradients are compared, ``predictions`` or ``weights``.
        cosine: with the hidden labels.
        control: with the hidden labels of other images.
        excess: of the one over the other, batch by batch.
    """

    method: str
    task: str
    place: str
    cosine: Estimate
    control: Estimate
    excess: Estimate

    @property
    def signal(self) -> bool:
        """Whether the cosine lies above 0, and above the control, by more than twice the standard error."""
        return all(each.mean > 2 * each.error for each in (self.cosine, self.excess))  # False where one is NaN

    @property
    def unknown(self) -> bool:
        """Whether nothing can be said of the signal: of one batch, or where no batch hides two labels to exchange."""
        return self.cosine.batches > 0 and math.isnan(self.excess.error)


def without_signal(rows: Sequence[Row]) -> list[str]:
    """The methods that are known to agree with the hidden labels of no task, in their order."""
    open_ = {row.method for row in rows if row.signal or row.unknown}
    return [method for method in dict.fromkeys(row.method for row in rows) if method not in open_]


def with_signal(rows: Sequence[Row]) -> list[str]:
    """The methods that agree with the hidden labels of some task somewhere, in their order."""
    return list(dict.fromkeys(row.method for row in rows if row.signal))
