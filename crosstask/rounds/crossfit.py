"""Predictions out of fold: what a network says of images none of whose labels it has seen.

A teacher that reads the label of t is to be fed with true ones. Where no image has labels of both t and s it learns
from predictions of t on the images labelled for s, and these must err as on new images: a network that was trained on
an image knows its labels by heart, in every task, through its features. So images, not labels, are cut into folds;
files that are the same image are in one fold.
"""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from crosstask.data.options import DataOptions
from crosstask.data.table.table import SOURCE, WEIGHT, Table
from crosstask.rounds.labels import training_rows
from crosstask.seeding import derive


def folds(table: Table, data: DataOptions, tasks: list[str], count: int, seed: int = 0) -> dict[str, int]:
    """The fold of each training row by id; rows of one image file are in one. Images with labels of the same tasks are
    spread evenly, so that no fold takes all labels of a task with it."""
    images: dict[str, list[str]] = {}
    labelled = table.given(tasks).tolist()
    kinds: dict[str, list[bool]] = {}
    for index in training_rows(table, data):
        real = os.path.realpath(table.resolve(index, "image"))
        images.setdefault(real, []).append(table.rows[index]["id"])
        kinds.setdefault(real, labelled[index])
    order = [
        images[real] for real in sorted(images, key=lambda each: (kinds[each], derive(seed, "fold", min(images[each]))))
    ]
    return {name: place % count for place, ids in enumerate(order) for name in ids}


def without_fold(table: Table, tasks: list[str], fold: dict[str, int], number: int) -> Table:
    """The table without any label of the images of a fold."""
    keep = [fold.get(name) != number for name in table.ids]
    return table.masked(tasks, torch.tensor(keep)[:, None].expand(-1, len(tasks)))


def joined(base: Table, parts: list[Table], fold: dict[str, int], tasks: list[str]) -> Table:
    """``base`` with the blank cells of each training row filled from the part of its fold, labels, weights, sources."""
    endings = ("", WEIGHT, SOURCE)
    columns = dict.fromkeys([*base.columns, *(name + ending for name in tasks for ending in endings)])
    made = [dict(zip(part.ids, part.rebased(base.path).rows, strict=True)) for part in parts]
    rows = []
    for row in base.rows:
        new = dict(row)
        if row["id"] in fold:
            said = made[fold[row["id"]]][row["id"]]
            for name in tasks:
                if not row.get(name) and said.get(name):
                    new |= {name + ending: said.get(name + ending, "") for ending in endings}
        rows.append(new)
    return replace(base, columns=tuple(columns), rows=rows)
