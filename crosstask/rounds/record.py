"""What became of the rounds so far: kept on disk, shown as a table."""

from __future__ import annotations

import json
import math
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
SHORT = {"coverage": "cover", "changed": "change", "precision": "prec"}
"""Words for a terminal, where all of it has to fit into a line."""
PROTOCOL = (
    "Pseudo-labels of the training images, in % of pixels; precision, recall and mIoU are means over classes against "
    "masks nothing was trained on. Unknown pixels are misses of recall and miou; miou_known leaves them out. Networks "
    "are measured on the test split."
)


@dataclass(frozen=True)
class Entry:
    """A round in ``rounds.json``; see :class:`Record`."""

    round: int
    labels: str
    pseudo_labels: LabelQuality
    run: str = ""
    network: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordFile:
    """What ``rounds.json`` holds."""

    done: list[str]
    rounds: list[Entry]
    status: str


@dataclass
class Record:
    """The steps that are finished, and the numbers of each round.

    Attributes:
        path: the file of the record, ``rounds.json``.
        done: names of the finished steps.
        rounds: one entry per round: ``round``, ``labels`` (a table), ``pseudo_labels`` (the numbers of
            :class:`LabelQuality`), ``run`` and ``network`` (task -> metric -> value, the primary one first) once it is
            trained.
        status: running, finished, or unchanged (stopped early, as the pseudo-labels no longer change).
    """

    path: Path
    done: list[str] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    status: str = "running"

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
        return cls(path, content.done, rounds, content.status)

    def labelled(self, number: int, table: str, quality: LabelQuality) -> None:
        """Note the pseudo-labels of a round."""
        self.rounds = self.rounds[:number]
        self.rounds.append({"round": number, "labels": table, "pseudo_labels": asdict(quality)})

    def trained(self, number: int, run: str, results: Results | None) -> None:
        """Note the run of a round and how its network was measured."""
        measured = {} if results is None else results.tasks
        network = {
            name: {metric: task.numbers[metric].value for metric in (task.primary, *task.numbers)}
            for name, task in measured.items()
        }
        self.rounds[number] |= {"run": run, "network": network}

    def finish(self, step: str, status: str = "running") -> None:
        """Note that a step is finished, and write everything down."""
        self.done.append(step)
        self.status = status
        content = {"done": self.done, "status": self.status, "protocol": PROTOCOL, "rounds": self.rounds}
        write(self.path, json.dumps(plain(content), indent=1).encode())
        write(self.path.with_suffix(".md"), self.markdown().encode())

    # -- for people ------------------------------------------------------------------------------------------------

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """The table as text: its header, and a row per round; ``n/a`` for what nobody measured."""
        primary = {
            name: next(iter(numbers)) for entry in self.rounds for name, numbers in entry.get("network", {}).items()
        }
        header = ["round", *COLUMNS, *(f"{name} {metric}" for name, metric in primary.items())]
        rows = []
        for entry in self.rounds:
            network = entry.get("network", {})
            numbers = [entry["pseudo_labels"][column] for column in COLUMNS]
            numbers += [network.get(name, {}).get(metric) for name, metric in primary.items()]
            rows.append([str(entry["round"]), *(show(math.nan if value is None else value) for value in numbers)])
        return header, rows

    def markdown(self) -> str:
        """The table as Markdown, with how it was measured."""
        header, rows = self.cells()
        lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
        return "\n".join([PROTOCOL, "", *lines]) + "\n"

    def table(self) -> Table:
        """The table for a terminal."""
        header, rows = self.cells()
        table = Table(caption=PROTOCOL, caption_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        for column in header:
            short = SHORT.get(column, column)
            table.add_column(short.replace("_", "\n").replace(" ", "\n"), justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        return table
