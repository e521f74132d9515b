"""How much pseudo-labels cover, how right they are, and how much of them changed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from crosstask.data.decode.files import image_size
from crosstask.data.loading.stored import stored_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.tasks import Segmentation


@dataclass(frozen=True)
class LabelQuality:
    """Numbers of the pseudo-labels of a table, in percent; NaN where there is nothing to measure them with.

    Attributes:
        images: how many images were to be labelled.
        labelled: how many of them have any label.
        coverage: share of their pixels that have one.
        changed: share of their pixels whose label (unknown is one) is not that of the round before.
        measured: how many images have a hidden mask.
        precision: share of the pixels with a label of a class that are of it, mean over the classes that are labelled.
        recall: share of the pixels of a class that are labelled so, mean over the classes of the masks. Unknown pixels
            are misses.
        miou: mean over classes of intersection over union; unknown pixels are misses.
        miou_known: the same over the pixels that have a label.
        per_class: ``miou`` of each class.
    """

    images: int
    labelled: int
    coverage: float
    changed: float
    measured: int
    precision: float
    recall: float
    miou: float
    miou_known: float
    per_class: dict[str, float] = field(default_factory=dict)


def measure_labels(
    table: Table, rows: Iterable[int], task: Segmentation, masks: str | None = None, previous: Table | None = None
) -> LabelQuality:
    """Compare the labels of some rows with hidden masks and with those of the round before.

    One image is in memory at a time, and one matrix of counts.

    Args:
        table: has a column for the task.
        rows: the rows that were labelled.
        task: the task.
        masks: column of the masks; None for none.
        previous: the same rows with the labels of the round before; None in the first.

    Raises:
        DataError: a file cannot be read, or a mask has another size than its image.
    """
    classes = task.channels
    matrix = torch.zeros(classes, classes + 1, dtype=torch.float64)
    images = labelled = measured = known = changed = pixels = 0
    for row in rows:
        labels = _labels(table, row, task.name, task)
        images += 1
        pixels += labels.numel()
        known += int((labels >= 0).sum())
        labelled += bool((labels >= 0).any())
        if previous is not None:
            changed += int((labels != _labels(previous, row, task.name, task)).sum())
        if masks is not None and table.rows[row].get(masks):
            measured += 1
            matrix += _counts(_mask(table, row, masks, task, labels), labels, classes)
    hits = matrix.diagonal()
    given, labels_of = matrix.sum(1), matrix[:, :classes].sum(0)
    iou = 100 * hits / (given + labels_of - hits)
    return LabelQuality(
        images=images,
        labelled=labelled,
        coverage=_percent(known, pixels),
        changed=_percent(changed, pixels) if previous is not None else math.nan,
        measured=measured,
        precision=_mean(100 * hits / labels_of),
        recall=_mean(100 * hits / given),
        miou=_mean(iou),
        miou_known=_mean(100 * hits / (matrix[:, :classes].sum(1) + labels_of - hits)),
        per_class=dict(zip(task.classes, iou.tolist(), strict=True)) if measured else {},
    )


def _labels(table: Table, row: int, column: str, task: Segmentation) -> Tensor:
    """The classes of a row, (H, W); all unknown where it has none."""
    if table.rows[row].get(column):
        return task.parse(stored_label(table, row, column, task)).as_subclass(Tensor)
    return torch.full(image_size(table.resolve(row, "image")), -1)


def _mask(table: Table, row: int, column: str, task: Segmentation, labels: Tensor) -> Tensor:
    """The hidden mask of a row, (H, W) as its labels."""
    mask, cells = _labels(table, row, column, task), table.rows[row]
    if mask.shape != labels.shape:
        raise DataError(
            f"{table.where(row, column)}: {cells[column]} is {mask.shape[0]}x{mask.shape[1]} (height x width) but the "
            f"image {cells['image']} is {labels.shape[0]}x{labels.shape[1]}: resize the mask (nearest pixel) or pair "
            "the right files"
        )
    return mask


def _counts(mask: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Pixels by class of the mask and label, (C, C + 1); the last column is unknown."""
    known = mask >= 0
    cells = mask[known] * (classes + 1) + labels[known].where(labels[known] >= 0, classes)
    return torch.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1).double()


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else math.nan


def _mean(values: Tensor) -> float:
    """The mean of what could be measured."""
    measured = values[~values.isnan()]
    return float(measured.mean()) if len(measured) else math.nan
