"""What a comparison shows, in sentences: "better" and "worse" only where an interval excludes zero."""

from __future__ import annotations

import math

from crosstask.compare.comparison import Comparison, Gain, Score
from crosstask.compare.entries import SUPERVISED
from crosstask.compare.statistics import LEVEL
from crosstask.evaluation.results import show


def statements(comparison: Comparison) -> list[str]:
    """A sentence per method and label setting, and what to keep in mind about them all."""
    lines = []
    primary = [score for score in comparison.scores if score.primary and score.difference is not None]
    for gain in comparison.gains:
        if gain.difference.baseline == SUPERVISED:
            own = [row for row in primary if (row.labels, row.method) == (gain.labels, gain.method)]
            lines.append(_statement(gain, own))
    if primary:
        lines.append(_caution(comparison, len(primary)))
    if comparison.missing:
        lines.append(
            f"{len(comparison.missing)} of {len(comparison.grid.cells)} cells are not finished and not counted."
        )
    return lines


def _statement(gain: Gain, rows: list[Score]) -> str:
    difference = gain.difference
    start = f"labels {gain.labels}, {gain.method} against {SUPERVISED}: Delta {signed(difference.mean)} %"
    if len(difference.seeds) < 2:
        return f"{start}; one seed cannot show anything, give at least three."
    found = {word: [row.task for row in rows if row.difference and row.difference.verdict == word] for word in
             ("better", "worse", "not shown")}  # fmt: skip
    said = [f"{word} on {', '.join(found[word])}" for word in ("better", "worse") if found[word]]
    if found["not shown"]:
        said.append(f"no difference shown on {', '.join(found['not shown'])}")
    return (
        f"{start} ({interval_text(difference.interval)}; {len(difference.seeds)} seeds): "
        f"{'no difference shown' if difference.verdict == 'not shown' else difference.verdict} over all tasks; "
        f"{'; '.join(said)}."
    )


def _caution(comparison: Comparison, count: int) -> str:
    seeds = min((len(gain.difference.seeds) for gain in comparison.gains), default=0)
    few = " With so few seeds only large effects can be shown: 'not shown' is not 'equal'." if seeds < 5 else ""
    return (
        f"Intervals are {LEVEL:.0%} paired t intervals over seeds. Of {count} comparisons about "
        f"{show(count * (1 - LEVEL))} would be called better or worse if no method made any difference.{few}"
    )


def signed(value: float) -> str:
    """A difference for people, three significant digits.

    >>> signed(0.01234), signed(-2.0), signed(float("nan"))
    ('+0.0123', '-2', 'n/a')
    """
    return "n/a" if math.isnan(value) else f"{value:+.3g}"


def interval_text(interval: tuple[float, float]) -> str:
    """``+0.1 to +2.3``, or n/a."""
    return "n/a" if math.isnan(interval[0]) else f"{signed(interval[0])} to {signed(interval[1])}"
