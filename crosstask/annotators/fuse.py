"""One label made of those of several annotators, written as a table with weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from crosstask.annotators.agreement import images
from crosstask.annotators.confusion import Believed
from crosstask.annotators.opinions import opinions_of
from crosstask.annotators.stack import Stacked
from crosstask.data.decode.writing import label_suffix, write_label
from crosstask.data.table.table import WEIGHT, Table, write_table
from crosstask.evaluation.confidence import stored_weight
from crosstask.evaluation.sources import file_names
from crosstask.tasks.base import Task


def fuse(
    stacked: Stacked,
    tasks: dict[str, Task],
    out: str | Path,
    weights: Mapping[tuple[str, str], float],
    progress: Callable[[int, int], None] | None = None,
    believed: Mapping[str, Believed] | None = None,
) -> Table:
    """Write a table with a row per image: each task's fused label, and in ``TASK.weight`` the share behind it.

    Files lie in the folder ``NAME_labels`` beside the table ``NAME.csv``.

    Args:
        stacked: the opinions.
        tasks: the tasks.
        out: the table to write.
        weights: by task and annotator; 1 where none is given.
        progress: called after each image with the images done and their number.
        believed: tasks whose labels are known already, see :func:`~crosstask.annotators.confusion.believed`.

    Raises:
        DataError: a file is missing or broken.
    """
    out = Path(out)
    folder = f"{out.stem}_labels"
    base = stacked.table.rebased(out)
    firsts = [base.rows[group[0]] for group in stacked.groups]
    names = file_names([row["image"] for row in firsts])
    rows = []
    for place, (row, (_, given)) in enumerate(zip(firsts, images(stacked, tasks, progress), strict=True)):
        made = {column: row.get(column, "") for column in stacked.others}
        for name, (who, values) in given.items():
            task = tasks[name]
            if believed and name in believed:
                fused = believed[name].fused(place, values)
            else:
                trust = torch.tensor([weights.get((name, each), 1.0) for each in who])
                fused = opinions_of(task).fuse(values, trust)
            known = task.known(fused.value)
            if not known.any():
                continue
            encoded = task.encode(fused.value)
            if isinstance(encoded, dict):
                made[name] = encoded["cell"]
                made[name + WEIGHT] = f"{float(fused.confidence[known].mean()):.4f}"
                continue
            made[name] = f"{folder}/{name}/{names[row['image']]}{label_suffix(encoded)}"
            made[name + WEIGHT] = f"{folder}/{name}{WEIGHT}/{names[row['image']]}.png"
            write_label(out.parent / made[name], encoded)
            write_label(out.parent / made[name + WEIGHT], stored_weight(fused.confidence))
        rows.append(made)
    columns = (*stacked.others, *(name + ending for name in tasks for ending in ("", WEIGHT)))
    return write_table(Table(out, columns, rows))
