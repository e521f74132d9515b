"""What became of the rounds so far: kept on disk, shown as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from crosstask.errors import UserError
from crosstask.evaluation.results import Results, show
from crosstask.reading import read_json
from crosstask.rounds.quality import LabelQuality
from crosstask.schema import read_as
from crosstask.training.run import plain
from crosstask.writing import write

COLUMNS = ("coverage", "changed", "precision", "recall", "miou", "miou_known")
PROTOCOL = (
    "Pseudo-labels of the training images, in % of pixels; precision, recall and mIoU are means over classes against "
    "masks nothing was trained on. Unknown pixels are misses of recall and miou; miou_known leaves them out. Networks "
    "are measured on the test split."
)
OF_TEACHERS = (
    "Labels of teachers for blank cells of the training images: how many cells, and the share of their entries that "
    "is kept. Networks are measured on the test split; steps are optimiser steps up to and with this round, those of "
    "teachers counted."
)


@dataclass(frozen=True)
class Entry:
    """A round in ``rounds.json``; see :class:`Record`."""

    round: int
    labels: str
    pseudo_labels: dict[str, float | dict[str, float]]
    run: str = ""
    steps: int = 0
    network: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordFile:
    """What ``rounds.json`` holds."""

    done: list[str]
    rounds: list[Entry]
    status: str
    steps: dict[str, int] = field(default_factory=dict)


@dataclass
class Record:
    """The steps that are finished, and the numbers of each round.

    Attributes:
        path: the file of the record, ``rounds.json``.
        done: names of the finished steps.
        rounds: one entry per round: ``round``, ``labels`` (a table), ``pseudo_labels`` (the numbers of
            :class:`LabelQuality`), ``run`` and ``network`` (task -> metric -> value, the primary one first) once it is
            trained.
        steps: optimiser steps of each training, by its run.
        status: running, finished, or unchanged (stopped early, as the pseudo-labels no longer change).
    """

    path: Path
    done: list[str] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    status: str = "running"
    steps: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Record:
        """The record of a file; a fresh one where there is none."""
        if not path.exists():
            return cls(path)
        content: RecordFile = read_as(path, RecordFile, "restore the file: the folder's rounds are counted by it")
        rounds = read_json(path, "restore the file")["rounds"]
        for number, entry in enumerate(rounds):
            for name in (entry["labels"], entry.get("run", "x")):
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise UserError(f"{path}: rounds[{number}]: {name!r:.80} leads out of the folder: restore the file")
        return cls(path, content.done, rounds, content.status, content.steps)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all trainings, those of teachers counted."""
        return sum(self.steps.values())

    @property
    def protocol(self) -> str:
        """What the numbers are."""
        return OF_TEACHERS if self._columns() is not COLUMNS else PROTOCOL

    def labelled(self, number: int, table: str, quality: LabelQuality | dict[str, float]) -> None:
        """Note the pseudo-labels of a round: how good they are, or how many of which task."""
        self.rounds = [entry for entry in self.rounds if entry["round"] < number]
        numbers = quality if isinstance(quality, dict) else asdict(quality)
        self.rounds.append({"round": number, "labels": table, "pseudo_labels": numbers})

    def trained(self, number: int, run: str, results: Results | None) -> None:
        """Note the run of a round and how its network was measured."""
        measured = {} if results is None else results.tasks
        network = {
            name: {metric: task.numbers[metric].value for metric in (task.primary, *task.numbers)}
            for name, task in measured.items()
        }
        if not self.rounds or self.rounds[-1]["round"] != number:  # a round on given labels alone
            self.rounds.append({"round": number, "labels": "", "pseudo_labels": {}})
        self.rounds[-1] |= {"run": run, "network": network, "steps": self.total_steps}

    def finish(self, step: str, status: str = "running") -> None:
        """Note that a step is finished, and write everything down."""
        self.done.append(step)
        self.status = status
        content = {
            "done": self.done,
            "status": self.status,
            "steps": self.steps,
            "protocol": self.protocol,
            "rounds": self.rounds,
        }
        write(self.path, json.dumps(plain(content), indent=1).encode())
        write(self.path.with_suffix(".md"), self.markdown().encode())

    # -- for people ------------------------------------------------------------------------------------------------

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """The table as text: its header, and a row per round; ``n/a`` for what nobody measured."""
        primary = {
            name: next(iter(numbers))
            for entry in self.rounds
            for name, numbers in entry.get("network", {}).items()
            if numbers
        }
        columns = self._columns()
        counted = [] if columns is COLUMNS else ["steps"]
        header = ["round", *counted, *columns, *(f"{name} {metric}" for name, metric in primary.items())]
        rows = []
        for entry in self.rounds:
            network = entry.get("network", {})
            numbers = [entry.get(column) for column in counted]
            numbers += [entry["pseudo_labels"].get(column) for column in columns]
            numbers += [network.get(name, {}).get(metric) for name, metric in primary.items()]
            rows.append([str(entry["round"]), *(show(math.nan if value is None else value) for value in numbers)])
        return header, rows

    def _columns(self) -> Sequence[str]:
        """What there is to say of pseudo-labels; ``COLUMNS`` for those that quality was measured of."""
        measured = [entry["pseudo_labels"] for entry in self.rounds]
        keys = list(
            dict.fromkeys(key for each in measured for key, value in each.items() if not isinstance(value, dict))
        )
        return COLUMNS if not self.rounds or set(COLUMNS) <= set(keys) else keys

    def markdown(self) -> str:
        """The table as Markdown, with how it was measured."""
        header, rows = self.cells()
        lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
        return "\n".join([self.protocol, "", *lines]) + "\n"

    def table(self) -> Table:
        """The table for a terminal: a column per round, since there are fewer rounds than numbers."""
        header, rows = self.cells()
        table = Table(caption=self.protocol, caption_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        lines = [list(line) for line in zip(header, *rows, strict=True)]
        for place, name in enumerate(lines[0]):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for line in lines[1:]:
            table.add_row(*line)
        return table
