"""A label file of a row, as its image is seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosstask.data.decode.files import image_size, loader_of
from crosstask.data.decode.labels import load_beside
from crosstask.data.table.table import SOURCE, WEIGHT, Table
from crosstask.tasks.base import Task


def orientation_of(row: Mapping[str, str], column: str, task: Task) -> str:
    """How a label, or the weights in ``column``, lie over the image: as the task says, and what a network made, which
    has a source, as the image is seen."""
    return "upright" if row.get(column.removesuffix(WEIGHT) + SOURCE) else task.orientation


def stored_label(table: Table, index: int, column: str, task: Task) -> np.ndarray:
    """The array of a dense label, (H, W) or (H, W, C), turned as EXIF turns its image; the image is not decoded.

    Raises:
        DataError: a file is missing or broken, or the label of an image that is turned fits it neither way.
    """
    path, image = table.resolve(index, column), table.resolve(index, "image")
    return load_beside(path, image, image_size(image), orientation_of(table.rows[index], column, task), loader_of(task))
