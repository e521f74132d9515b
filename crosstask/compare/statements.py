"""What a comparison shows, in sentences: "better" and "worse" only where an interval excludes zero."""

from __future__ import annotations

import math

from crosstask.compare.comparison import Comparison
from crosstask.compare.entries import SUPERVISED
from crosstask.compare.rows import Gain, Score
from crosstask.compare.statistics import LEVEL
from crosstask.evaluation.results import show


def statements(comparison: Comparison) -> list[str]:
    """A sentence per method and label setting, and what to keep in mind about them all."""
    found = [f"labels {labels}, {line}" for labels, lines in findings(comparison).items() for line in lines]
    return found + cautions(comparison)


def findings(comparison: Comparison) -> dict[str, list[str]]:
    """A sentence per method, by label setting."""
    found: dict[str, list[str]] = {}
    for gain in comparison.gains:
        if gain.difference.baseline == SUPERVISED:
            own = [
                row
                for row in comparison.scores
                if row.primary and (row.labels, row.method) == (gain.labels, gain.method)
            ]
            found.setdefault(gain.labels, []).append(_finding(gain, own))
    return found


def cautions(comparison: Comparison) -> list[str]:
    """What to keep in mind about all findings."""
    lines = []
    compared = [row.difference for row in comparison.scores if row.primary and row.difference is not None]
    several = [difference for difference in compared if len(difference.seeds) > 1]
    if several:
        few = min(len(difference.seeds) for difference in several) < 5
        lines.append(
            f"Intervals are {LEVEL:.0%} paired t intervals over seeds. Of {len(several)} comparisons about "
            f"{show(len(several) * (1 - LEVEL))} would be called better or worse if no method made any difference."
            + (" With so few seeds only large effects can be shown: 'not shown' is not 'equal'." if few else "")
        )
    if comparison.missing:
        lines.append(
            f"{len(comparison.missing)} of {len(comparison.grid.cells)} cells are not finished and not counted."
        )
    return lines


def _finding(gain: Gain, rows: list[Score]) -> str:
    difference = gain.difference
    start = f"{gain.method} against {SUPERVISED}: Delta {signed(difference.mean)} %"
    if len(difference.seeds) < 2:
        return f"{start}; one seed cannot show anything, give at least three."
    said = []
    for verdict, words in (("better", "better"), ("worse", "worse"), ("not shown", "no difference shown")):
        tasks = [row.task for row in rows if row.difference is not None and row.difference.verdict == verdict]
        said += [f"{words} on {', '.join(tasks)}"] if tasks else []
    overall = "no difference shown" if difference.verdict == "not shown" else difference.verdict
    seeds = f"{interval_text(difference.interval)}; {len(difference.seeds)} seeds"
    return f"{start} ({seeds}): {overall} over all tasks; {'; '.join(said)}."


def signed(value: float) -> str:
    """A difference for people, three significant digits.

    >>> signed(0.01234), signed(-2.0), signed(float("nan"))
    ('+0.0123', '-2', 'n/a')
    """
    return "n/a" if math.isnan(value) else f"{value:+.3g}"


def interval_text(interval: tuple[float, float]) -> str:
    """``+0.1 to +2.3``, or n/a."""
    return "n/a" if math.isnan(interval[0]) else f"{signed(interval[0])} to {signed(interval[1])}"
