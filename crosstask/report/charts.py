"""Line charts as SVG: text in the page's own font and colours, a title and a description for those who cannot see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 26, 40


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the description.
        points: (x, y), NaN left out.
        style: number of the colour and dashes, the same for the same method in all charts.
        connected: whether points are joined; marks alone otherwise.
        marks: whether points have marks.
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: int
    connected: bool = True
    marks: bool = False


def chart(title: str, x: str, lines: Sequence[Line], logarithmic: bool = False) -> str:
    """A line chart as an ``<svg>`` element.

    Args:
        title: above the chart.
        x: what is along the horizontal axis.
        lines: what is drawn.
        logarithmic: whether the horizontal axis is; all x are then positive.
    """
    kept = [
        Line(line.name, [point for point in line.points if math.isfinite(point[1])], *_rest(line)) for line in lines
    ]
    points = [point for line in kept for point in line.points]
    if not points:
        return ""
    across = _Axis([point[0] for point in points], (_LEFT, WIDTH - _RIGHT), logarithmic)
    up = _Axis([point[1] for point in points], (HEIGHT - _BOTTOM, _TOP), False, any(line.marks for line in kept))
    said = escape(_description(title, x, kept))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">',
        f'<text class="title" x="{_LEFT}" y="15">{escape(title)}</text>',
    ]
    for value in up.ticks:
        place = up.at(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {place:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in across.ticks:
        place, foot = across.at(value), HEIGHT - _BOTTOM
        parts.append(f'<path class="axis" d="M{place:.1f} {foot}v4"/>')
        parts.append(f'<text x="{place:.1f}" y="{foot + 17}" text-anchor="middle">{_number(value)}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/>')
    parts.append(f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>')
    for line in kept:
        parts += _drawn(line, across, up)
    return "".join([*parts, "</svg>"])


class _Axis:
    """From values to places.

    Args:
        values: what must fit.
        ends: the places of the least and the greatest.
        logarithmic: whether equal factors are equally far apart.
        marks: whether room is left at both ends, for marks.
    """

    def __init__(
        self, values: Sequence[float], ends: tuple[float, float], logarithmic: bool, marks: bool = False
    ) -> None:
        self.logarithmic, self.ends = logarithmic, ends
        low, high = min(values), max(values)
        if low == high:
            low, high = (low / 2, high * 2) if logarithmic else (low - abs(low or 1) / 10, high + abs(high or 1) / 10)
        if marks and not logarithmic:  # no mark lies on the frame
            low, high = low - 0.06 * (high - low), high + 0.06 * (high - low)
        if logarithmic:
            self.ticks = _thinned(sorted(set(values)), low, high)
            self.low, self.high = low / (high / low) ** 0.05, high * (high / low) ** 0.05
        else:
            self.ticks = round_numbers(low, high)
            self.low, self.high = min(low, self.ticks[0]), max(high, self.ticks[-1])

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, here = self.low, self.high, value
        if self.logarithmic:
            low, high, here = math.log(low), math.log(high), math.log(value)
        return self.ends[0] + (here - low) / (high - low) * (self.ends[1] - self.ends[0])


def round_numbers(low: float, high: float, about: int = 4) -> list[float]:
    """Some round numbers from ``low`` to ``high``.

    >>> round_numbers(0.3, 9.6)
    [2, 4, 6, 8]
    """
    step = 10 ** math.floor(math.log10((high - low) / about))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= about + 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12) for count in range(first, last + 1)]


def _thinned(values: list[float], low: float, high: float) -> list[float]:
    """Those of the values that are far enough apart on a logarithmic axis to be written."""
    kept: list[float] = []
    for value in values:
        if not kept or math.log(value / kept[-1]) > 0.1 * math.log(high / low):
            kept.append(value)
    return kept


def _drawn(line: Line, across: _Axis, up: _Axis) -> list[str]:
    places = [(across.at(x), up.at(y)) for x, y in sorted(line.points)]
    parts = [f'<g class="s{line.style % 8}"><title>{escape(line.name)}</title>']
    if line.connected and places:
        parts.append('<path class="line" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) + '"/>')
    if line.marks or len(places) == 1:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
    return [*parts, "</g>"]


def _description(title: str, x: str, lines: Sequence[Line]) -> str:
    ends = [f"{line.name} ends at {line.points[-1][1]:.4g}" for line in lines if line.points]
    return f"{title} over {x}: {'; '.join(ends)}"


def _number(value: float) -> str:
    return f"{value / 1000:.4g}k" if abs(value) >= 10_000 else f"{value:.4g}"


def _rest(line: Line) -> tuple[int, bool, bool]:
    return line.style, line.connected, line.marks
