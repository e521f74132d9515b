"""How large the number of an option may be, said in its type: ``width: Size = 48``."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin


@dataclass(frozen=True)
class Range:
    """The numbers an option takes.

    Args:
        low: the least.
        high: the greatest.
    """

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        least = f"more than 0 ({self.low:g} at least)" if 0 < self.low < 1e-6 else f"at least {_shown(self.low)}"
        return f"{least} and at most {_shown(self.high)}"


Size = Annotated[int, Range(1, 16384)]
"""Channels, pixels, repetitions: what makes something large."""
Amount = Annotated[int, Range(0, 16384)]
Iterated = Annotated[int, Range(0, 1000)]
"""Steps that are taken for every image."""
Classes = Annotated[int, Range(1, 65536)]
Workers = Annotated[int, Range(0, 1024)]
Count = Annotated[int, Range(0, 10**9)]
Steps = Annotated[int, Range(1, 10**9)]
Share = Annotated[float, Range(0, 1)]
Hue = Annotated[float, Range(0, 0.5)]
Factor = Annotated[float, Range(0, 1e6)]
"""A weight, a strength: none where 0."""
Positive = Annotated[float, Range(1e-9, 1e6)]
"""More than 0, and not so little that single precision makes it 0 or its inverse infinite."""
Rate = Annotated[float, Range(1e-37, 1e6)]
"""A learning rate: next to nothing, to hold what is there, is meant."""


def _shown(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:g}"


def check_range(value: Any, hint: Any, where: str) -> None:
    """Raise ``ValueError`` where a number lies outside the range its type says; numbers in lists too.

    >>> check_range([2, 0], list[Size], "widths")
    Traceback (most recent call last):
    ValueError: widths[1]: found 0: give at least 1 and at most 16,384
    """
    if get_origin(hint) in (Union, types.UnionType):
        for member in get_args(hint):
            check_range(value, member, where)
    elif get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        check_range(value, inner, where)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for extra in extras:
                if isinstance(extra, Range) and value not in extra:
                    raise ValueError(f"{where}: found {value!r:.80}: give {extra}")
    elif isinstance(value, (list, tuple)):
        hints = [each for each in get_args(hint) if each is not ...] or [None]
        for index, entry in enumerate(value):
            check_range(entry, hints[min(index, len(hints) - 1)], f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            check_range(entry, (get_args(hint) or (None,))[-1], f"{where}.{key}")
