"""Ranges that types say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crosstask.construct import construct
from crosstask.errors import RecipeError
from crosstask.ranges import Factor, Positive, Share, Size


class Options:
    def __init__(
        self,
        width: Size = 3,
        many: Sequence[Size] = (1, 2),
        part: Share | None = None,
        two: tuple[Positive, Factor] = (1.0, 2.0),
        weights: dict[str, Factor] | None = None,
        either: Size | list[str] = 1,
    ) -> None:
        self.given = (width, list(many), part, tuple(two), weights, either)


def test_what_lies_within_is_taken():
    options = {"width": 16384, "many": [1], "part": 1, "two": [1e-9, 0], "weights": {"a": 0}, "either": ["a"]}
    assert construct(Options, options, "x").given == (16384, [1], 1.0, (1e-9, 0.0), {"a": 0.0}, ["a"])
    assert construct(Options, {}, "x").given == (3, [1, 2], None, (1.0, 2.0), None, 1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"width": 0}, "x.width: found 0: give at least 1 and at most 16,384"),
        ({"width": 16385}, "x.width: found 16385"),
        ({"many": [4, -1]}, "x.many[1]: found -1"),
        ({"part": 1.01}, "x.part: found 1.01: give at least 0 and at most 1"),
        ({"two": [0, 1]}, "x.two[0]: found 0: give more than 0"),
        ({"two": [1e-300, 1]}, "x.two[0]: found 1e-300: give more than 0 (1e-09 at least)"),
        ({"two": [1, -1]}, "x.two[1]: found -1"),
        ({"weights": {"a": 1, "b": -2}}, "x.weights.b: found -2"),
        ({"either": 0}, "x.either: found 0"),
        ({"part": float("nan")}, "x.part: found nan"),
    ],
)
def test_what_lies_outside_names_the_key(options, line):
    with pytest.raises(RecipeError) as caught:
        construct(Options, options, "x")
    assert str(caught.value).startswith(line)
