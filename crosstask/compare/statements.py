"""What a comparison shows, in sentences: "better" and "worse" only where an interval excludes zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crosstask.compare.comparison import Comparison
from crosstask.compare.rows import Gain, Score
from crosstask.compare.statistics import LEVEL
from crosstask.entries import FULL, SUPERVISED
from crosstask.evaluation.results import NOT_MEASURED, show
from crosstask.evaluation.words import worded


def statements(comparison: Comparison) -> list[str]:
    """A sentence per method and label setting, and what to keep in mind about them all."""
    found = [f"labels {labels}, {line}" for labels, lines in findings(comparison).items() for line in lines]
    return found + cautions(comparison)


def findings(comparison: Comparison) -> dict[str, list[str]]:
    """What the missing labels cost, and a sentence per method, by label setting."""
    found = prices(comparison)
    for gain in comparison.gains:
        if gain.difference.baseline == SUPERVISED:
            own = [
                row
                for row in comparison.scores
                if row.primary and (row.labels, row.method) == (gain.labels, gain.method)
            ]
            found.setdefault(gain.labels, []).append(_finding(gain, own))
    return found


def prices(comparison: Comparison) -> dict[str, list[str]]:
    """By label setting, what its missing labels cost and how much of that each method wins back; only for comparisons
    that have ``supervised`` with all labels, too."""
    rows = [row for row in comparison.scores if row.primary]
    rows = [row for row in rows if not math.isnan(row.mean)]
    full = {row.task: row for row in rows if row.method == SUPERVISED and row.labels in FULL}
    found = {}
    for labels in dict.fromkeys(row.labels for row in rows if row.labels not in FULL):
        own = {row.task: row for row in rows if row.method == SUPERVISED and row.labels == labels and row.task in full}
        if not own:
            continue
        lines = [f"The missing labels cost {listed([_lost(row, full[task]) for task, row in own.items()])}."]
        for method in dict.fromkeys(row.method for row in rows if row.labels == labels and row.method != SUPERVISED):
            parts = [row for row in rows if (row.labels, row.method) == (labels, method) and row.task in own]
            won = [f"{_won(row, own[row.task], full[row.task])} in {row.task}" for row in parts]
            if won:
                lines.append(f"Of that, {method} wins back {listed(won)}.")
        if all(len(row.seeds) < 2 for row in own.values()):
            lines.append("One seed is an example, not a proof.")
        found[labels] = [" ".join(lines)]
    return found


def _lost(own: Score, full: Score) -> str:
    lost = own.better * (full.mean - own.mean)
    words, unit = worded(own.metric, own.protocol)
    return f"{show(lost)}{unit} {words} in {own.task} ({show(own.mean)}{unit}, {show(full.mean)}{unit} with all labels)"


def _won(method: Score, own: Score, full: Score) -> str:
    gap = full.better * (full.mean - own.mean)
    gain = full.better * (method.mean - own.mean)
    share = gain / gap if gap > 0 else math.nan
    if len(method.seeds) > 1:  # of the seeds that all have, where they show that there is a gap
        share = math.nan if method.recovered is None else method.recovered.fraction
    if math.isnan(share):
        return NOT_MEASURED
    return f"{share:.0%}" if share > 0 else f"nothing ({share:.0%})"


def listed(words: Sequence[str]) -> str:
    """Words as a person lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def cautions(comparison: Comparison) -> list[str]:
    """What to keep in mind about all findings."""
    lines = []
    several = [row for row in comparison.scores if not math.isnan(row.corrected)]
    if several:
        few = min(len(row.difference.seeds) for row in several if row.difference) < 5
        shown = [f"{row.method} on {row.task} ({row.labels})" for row in several if row.corrected < 1 - LEVEL]
        remain = f"{listed(shown)} remain{'s' if len(shown) == 1 else ''}" if shown else "none remains"
        lines.append(
            f"Intervals are {LEVEL:.0%} paired t intervals over seeds. Of {len(several)} comparisons about "
            f"{show(len(several) * (1 - LEVEL))} would be called better or worse if no method made any difference; "
            f"corrected for their number (Holm), {remain}."
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
