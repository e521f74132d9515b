"""The ranked list of labels as a file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from crosstask.audit.audit import Audited
from crosstask.evaluation.row_images import image_cell
from crosstask.writing import whole

CSV, PAGE = "audit.csv", "audit.html"
COLUMNS = ("rank", "id", "image", "task", "suspicion", "reason", "words", "loss")


def write_csv(path: Path, audited: Audited, words: Mapping[tuple[str, str], str]) -> None:
    """Write the labels in their order, and of each the log-odds of every fault that a label of its task can have.

    Args:
        path: the file.
        audited: the labels.
        words: reasons with details, by id and task, of those that have any.

    Raises:
        OSError: it cannot be written.
    """
    faults = list(dict.fromkeys(name for names in audited.faults.values() for name in names))
    with whole(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*COLUMNS, *faults))
        for rank, each in enumerate(audited.suspects, 1):
            said = words.get((each.id, each.task), each.words)
            image = image_cell(each.image, path.parent)
            numbers = f"{each.suspicion:.4g}", each.reason, said, f"{each.loss:.6g}"
            own = audited.odds[each.task][each.index].tolist()
            odds = {name: f"{value:.4g}" for name, value in zip(audited.faults[each.task], own, strict=True)
                    if math.isfinite(value)}  # fmt: skip
            writer.writerow((rank, each.id, image, each.task, *numbers, *(odds.get(name, "") for name in faults)))
