"""The numbers of one evaluation: what was measured, on how much, how sure, and by which protocol."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from crosstask.reading import read_text
from crosstask.schema import parse_as
from crosstask.writing import write

NOT_MEASURED = "n/a"
REMEDY = "measure the run again with crosstask eval, which writes it anew"
ARROWS = {1: "↑", -1: "↓", 0: ""}
"""Marks of numbers of which more is better, less is, or that are only information."""


@dataclass(frozen=True)
class Number:
    """One metric of one task over a set.

    Attributes:
        value: the number; NaN where nobody could measure it.
        low: lower end of the bootstrap interval over images.
        high: upper end.
        better: +1 where more is better, -1 where less is, 0 where it is only information.
    """

    value: float
    low: float
    high: float
    better: Literal[-1, 0, 1]


@dataclass(frozen=True)
class TaskResults:
    """All numbers of one task.

    Attributes:
        kind: the kind of task.
        protocol: how the numbers are measured, in a few words.
        primary: the number used to select a model and to compare methods.
        numbers: by name of the metric.
        known: how many entries (pixels, samples, cells) were measured.
        images: how many images had any of them.
        per_class: the number of each class, where the metric has one (IoU, say).
        absent: classes that could not be measured (neither in the labels nor in the predictions, say) and are left out
            of every mean.
        scores: the number ``single`` of each labelled image alone, by sample id.
        alone: the only class or state that the labels hold, which makes a perfect score easy; empty for several.
        scale: what a large difference of the primary number is; 0 where nobody said.
        single: the number that says how good one image alone is; the primary one where nobody said.
    """

    kind: str
    protocol: str
    primary: str
    numbers: dict[str, Number]
    known: int
    images: int
    per_class: dict[str, float] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    alone: str = ""
    scale: float = 0.0
    single: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "single", self.single or self.primary)
        for key in ("primary", "single"):
            if (name := getattr(self, key)) not in self.numbers:
                raise ValueError(f"{key}: {name!r:.80} is none of the numbers {', '.join(self.numbers)}")

    @property
    def score(self) -> float:
        """The primary number; NaN where nobody could measure it."""
        return self.numbers[self.primary].value

    def worst(self, count: int = 10) -> list[tuple[str, float]]:
        """The ``count`` images with the worst number of their own, worst first, as (id, number)."""
        measured = [(name, score) for name, score in self.scores.items() if not math.isnan(score)]
        sign = self.numbers[self.single].better
        return sorted(measured, key=lambda item: (sign * item[1], item[0]))[:count]


@dataclass(frozen=True)
class Results:
    """The results of one evaluation.

    Attributes:
        tasks: the numbers per task.
        images: how many images were seen.
        level: level of the bootstrap intervals.
        settings: how the network was run, for people: split, checkpoint, tile, scales, flip.
        unlabelled: how many of the images have no label of any of the tasks.
    """

    tasks: dict[str, TaskResults]
    images: int
    level: float = 0.95
    settings: dict[str, str] = field(default_factory=dict)
    unlabelled: int = 0

    def scores(self) -> dict[str, float]:
        """The primary number of each task; NaN where nobody could measure it."""
        return {name: task.score for name, task in self.tasks.items()}

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level: found {self.level}: a level lies in (0, 1)")

    # -- files -----------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Strict JSON from which :meth:`from_json` restores the results exactly; NaN is null."""
        return json.dumps(_encode(asdict(self)), indent=1, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str = "results") -> Results:
        """The results that :meth:`to_json` wrote; ``where`` they were found is for messages.

        Raises:
            UserError: ``text`` is not JSON, or not that of results; names key and value.
        """
        return parse_as(text, cls, where, REMEDY)

    def save(self, path: Path | str) -> None:
        """Write :meth:`to_json` to ``path``."""
        write(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Results:
        """Read what :meth:`save` wrote."""
        return cls.from_json(read_text(path), str(path))

    # -- for people ------------------------------------------------------------------------------------------------

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """The table as text: its header and its rows, one row per task and metric, ``n/a`` for what nobody measured."""
        header = ["task", "metric", "value", f"{self.level:.0%} interval", "images", "known", "protocol"]
        rows = []
        for name, task in self.tasks.items():
            for metric, number in task.numbers.items():
                interval = (
                    NOT_MEASURED
                    if math.isnan(number.low) or math.isnan(number.value)
                    else f"{show(number.low)} to {show(number.high)}"
                )
                label = f"{metric} {ARROWS[number.better]}".strip()
                amounts = [f"{task.images:,}", f"{task.known:,}"]
                rows.append([name, label, show(number.value), interval, *amounts, task.protocol])
        return header, rows

    def table(self) -> Table:
        """The table for a terminal; the primary metric of each task in bold, protocols and remarks below."""
        header, rows = self.cells()
        notes = [f"{name}: {task.protocol}" for name, task in self.tasks.items()]
        table = Table(title=self._title(), caption="\n".join([*notes, *self.remarks()]), caption_justify="left")
        for column in header[:-1]:
            table.add_column(column, justify="right" if column not in ("task", "metric") else "left", no_wrap=True)
        primaries = [metric == task.primary for task in self.tasks.values() for metric in task.numbers]
        for row, primary, before in zip(rows, primaries, [None, *rows], strict=False):
            if before is not None and before[0] != row[0]:
                table.add_section()
            table.add_row(*row[:-1], style="bold" if primary else None)
        return table

    def markdown(self) -> str:
        """The table as Markdown, followed by the number of each class and what was left out of the means."""
        header, rows = self.cells()
        lines = [self._title(), "", *_markdown(header, rows)]
        for name, task in self.tasks.items():
            if task.per_class:
                each = [[label, show(value)] for label, value in task.per_class.items()]
                lines += ["", f"{name}, each class:", "", *_markdown(["class", "value"], each)]
        for remark in self.remarks():
            lines += ["", f"{remark[:1].upper()}{remark[1:]}."]
        return "\n".join(lines) + "\n"

    def remarks(self) -> list[str]:
        """What the numbers do not say themselves: classes left out of a mean, labels that hold one class alone."""
        remarks = []
        for name, task in self.tasks.items():
            if task.absent:
                remarks.append(f"not measurable and left out of the means of {name}: {', '.join(task.absent)}")
            if task.alone:
                remarks.append(f"the labels of {name} hold one state alone, {task.alone}: saying so always is perfect")
        return remarks

    def _title(self) -> str:
        bare = [f"{self.unlabelled:,} of them without any label"] if self.unlabelled else []
        return ", ".join(
            [f"{self.images:,} images", *bare, *(f"{key} {value}" for key, value in self.settings.items())]
        )


def show(value: float) -> str:
    """A number for people, four significant digits; ``n/a`` for NaN.

    >>> show(0.123456), show(12345.6), show(float("nan"))
    ('0.1235', '12346', 'n/a')
    """
    if math.isnan(value):
        return NOT_MEASURED
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _markdown(header: list[str], rows: list[list[str]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def _encode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
