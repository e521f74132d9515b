"""The ranked list of labels as a file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from crosstask.audit.audit import Suspect
from crosstask.evaluation.row_images import image_cell
from crosstask.writing import whole

CSV, PAGE = "audit.csv", "audit.html"
COLUMNS = ("rank", "id", "image", "task", "suspicion", "reason", "words", "loss")


def write_csv(path: Path, suspects: Iterable[Suspect], words: Mapping[tuple[str, str], str]) -> None:
    """Write the labels in their order.

    Args:
        path: the file.
        suspects: the labels.
        words: reasons with details, by id and task, of those that have any.

    Raises:
        OSError: it cannot be written.
    """
    with whole(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rank, each in enumerate(suspects, 1):
            said = words.get((each.id, each.task), each.words)
            image = image_cell(each.image, path.parent)
            numbers = f"{each.suspicion:.4g}", each.reason, said, f"{each.loss:.6g}"
            writer.writerow((rank, each.id, image, each.task, *numbers))
