"""What the colours of pictures mean."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Range:
    """The values that the ends of a colour bar stand for."""

    low: float
    high: float


@dataclass(frozen=True)
class Legend:
    """What the colours of a task's pictures mean.

    Attributes:
        swatches: names and their colours.
        bar: colours of a bar from ``low`` to ``high``.
        low: what the first colour of the bar stands for, with its unit.
        high: what the last one stands for.
        picture: uint8 RGB (3, H, W), where colours stand for directions.
        note: more, in a few words.
    """

    swatches: tuple[tuple[str, Colour], ...] = ()
    bar: tuple[Colour, ...] = ()
    low: str = ""
    high: str = ""
    picture: Tensor | None = None
    note: str = ""
