"""Charts: points land where they should, ticks are round, and what is unknown is left out."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from crosstask.report.charts import HEIGHT, WIDTH, Line, chart, round_numbers

NAN = float("nan")


def path(svg: str) -> list[tuple[float, float]]:
    drawn = re.search(r'class="line" d="M([^"]+)"', svg)
    assert drawn
    return [tuple(map(float, point.split())) for point in drawn[1].split("L")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.11, 0.42, [0.2, 0.3, 0.4]), (-3, 3, [-2, 0, 2]), (97.1, 99.9, [98, 99])],
)
def test_ticks_are_round(low, high, expected):
    assert round_numbers(low, high) == pytest.approx(expected)


def test_points_are_in_proportion():
    (x0, y0), (x1, y1), (x2, y2) = path(chart("t", "x", [Line("a", [(0, 0), (5, 1), (10, 4)], 0)]))
    assert (x1 - x0) == pytest.approx(x2 - x1, abs=0.2)
    assert (y0 - y1) * 3 == pytest.approx(y1 - y2, abs=0.5)  # up is more
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in ((x0, y0), (x1, y1), (x2, y2)))


def test_equal_factors_are_equally_far_apart_on_a_logarithmic_axis():
    (x0, _), (x1, _), (x2, _) = path(chart("t", "x", [Line("a", [(1, 0), (10, 0), (100, 1)], 0)], logarithmic=True))
    assert (x1 - x0) == pytest.approx(x2 - x1, abs=0.2)


def test_what_is_unknown_is_left_out():
    assert len(path(chart("t", "x", [Line("a", [(0, 1), (1, NAN), (2, 3)], 0)]))) == 2
    assert chart("t", "x", [Line("a", [(0, NAN)], 0)]) == ""
    assert chart("t", "x", []) == ""


def test_one_point_and_flat_lines_can_be_drawn():
    assert "<circle" in chart("t", "x", [Line("a", [(3, 0)], 0)])
    for height in (0.0, 5.0, -5.0):
        ElementTree.fromstring(chart("t", "x", [Line("a", [(0, height), (1, height)], 0)]))


def test_words_are_escaped_and_described():
    root = ElementTree.fromstring(chart("a<b", "x&y", [Line('"c"', [(0, 1), (1, 2)], 0)]))
    assert root.get("aria-label") == 'a<b over x&y: "c" ends at 2'
    assert root.get("role") == "img"
