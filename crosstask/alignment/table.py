"""Alignments as a table for people and as a file for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crosstask.alignment.cosines import PLACES, PREDICTIONS
from crosstask.alignment.rows import Row
from crosstask.schema import read_as
from crosstask.training.run import plain

FILE = "align.json"

EXPLANATION = (
    "Cosine between the gradient of an objective and that of the labels hidden from training, mean ± standard error "
    "over batches; in brackets the same with the labels of other images (the control). *: above 0 and above the "
    "control by more than two standard errors. At the predictions: of the images whose label is hidden; at the "
    "weights: of the whole network."
)


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and lines: a line per method and task, a column per place."""
    by = {(row.method, row.task, row.place): row for row in rows}
    lines = dict.fromkeys((row.method, row.task) for row in rows)
    header = ["objective", "task", *(f"at the {place}" for place in PLACES)]
    return header, [[*line, *(cell(by.get((*line, place))) for place in PLACES)] for line in lines]


def cell(row: Row | None) -> str:
    """One cell; a dash where the objective sends no gradient."""
    if row is None or not row.cosine.batches:
        return "–"
    control = f" ({row.control.mean:+.3f})" if row.control.batches else ""
    error = "n/a" if math.isnan(row.cosine.error) else f"{row.cosine.error:.3f}"  # of a single batch
    return f"{row.cosine.mean:+.3f} ± {error}{control}{' *' if row.signal else ''}"


def statements(rows: Sequence[Row]) -> list[str]:
    """What the table says, a sentence per method."""
    said = []
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method and row.signal]
        direct = [row.task for row in own if row.place == PREDICTIONS]
        shared = [row.task for row in own if row.place != PREDICTIONS and row.task not in direct]
        parts = [f"agrees with the hidden labels of {', '.join(direct)}"] if direct else []
        parts += [f"helps {', '.join(shared)} through shared weights"] if shared else []
        none = "does not agree with the hidden labels of any task"
        if any(row.unknown for row in rows if row.method == method):
            none = (
                "is not known to agree with the hidden labels of any task, for want of batches that hide two labels of "
                "one: raise --batches or --training.batch_size"
            )
        said.append(f"{method} {' and '.join(parts) or none}.")
    return said


def to_json(rows: Sequence[Row], settings: dict[str, Any]) -> str:
    """The rows and how they were measured."""
    return json.dumps(plain({"settings": settings, "rows": [asdict(row) for row in rows]}), indent=1)


@dataclass(frozen=True)
class Alignment:
    """What the file holds."""

    rows: list[Row]


def read(path: Path) -> list[Row]:
    """The rows of a file that :func:`to_json` wrote.

    Raises:
        UserError: the file is broken or of another version; names key and value.
    """
    content: Alignment = read_as(path, Alignment, "remove the file, it is made again")
    return content.rows
