"""Left and right in names: what a mirrored image exchanges, and which numbers may be others in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PAIRS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
_OTHER = {side: other for pair in _PAIRS for side, other in (pair, pair[::-1])}
_SIDE = re.compile("(?<![a-z])(?:left|right)|Left|Right|(?<![A-Z])(?:LEFT|RIGHT)")
_WORD = re.compile("[a-z]+")
_ACROSS = frozenset(
    (
        "x",
        "cx",
        "dx",
        "xmin",
        "xmax",
        "left",
        "right",
        "yaw",
        "azimuth",
        "heading",
        "bearing",
        "steering",
        "angle",
        "pan",
    )
)
"""Words for numbers that depend on where in the image something is, or which way it points."""


def sides(names: Sequence[str]) -> list[int] | None:
    """For each name the place of what it is called in a mirrored image; None where all keep theirs.

    >>> sides(["head", "left_arm", "right_arm", "rightmost", "LeftLeg", "RightLeg"])
    [0, 2, 1, 3, 5, 4]
    >>> sides(["left", "straight on"]) is None
    True
    """
    places = {name: place for place, name in enumerate(names)}
    mirrored = [places.get(_SIDE.sub(lambda side: _OTHER[side[0]], name), place) for name, place in places.items()]
    return None if mirrored == list(places.values()) else mirrored


def across(names: Sequence[str]) -> list[str]:
    """The names of numbers that are others in a mirrored image.

    >>> across(["age", "head_yaw", "x1", "axis"])
    ['head_yaw', 'x1']
    """
    return [name for name in names if not _ACROSS.isdisjoint(_WORD.findall(name.lower()))]
