"""Numbers as they are typed: refused before anything heavy is imported."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in [low, high]."""

    def number(text: str) -> int:
        if not (text.removeprefix("-").isdecimal() and len(text) < 20 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high:,}, found {text!r:.80}")
        return int(text)

    return number


def real(low: float, high: float) -> Callable[[str], float]:
    """A type for argparse: a number in [low, high]."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a number from {low:g} to {high:g}, found {text!r:.80}")
        return value

    return number


workers = whole(0, 1024)
