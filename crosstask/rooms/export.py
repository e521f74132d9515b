"""Write rooms to files, as a table like that of any other data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from crosstask.data.decode.writing import label_suffix, write_label
from crosstask.data.sample import Sample
from crosstask.data.table.table import INTRINSICS, RESERVED, Table, write_table
from crosstask.errors import DataError, RecipeError
from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks.base import Task


def export_rooms(splits: Mapping[str, RoomsDataset], folder: Path | str) -> Table:
    """Write images, labels and ``table.csv`` into a folder.

    Labels are written as their tasks write predictions (``Task.encode``): class ids as PNG, depth as 16-bit PNG,
    normals as colours, tags and category as text; a label that was dropped (``RoomsDataset.keep``) is a blank cell.

    Args:
        splits: data sets by the name of their split.
        folder: made where it is missing; files in it are replaced.

    Returns:
        The table, as written.

    Raises:
        RecipeError: a task has the name of a column with another meaning.
        DataError: a file cannot be written.
    """
    folder = Path(folder)
    names = list(dict.fromkeys(name for rooms in splits.values() for name in rooms.tasks))
    for name in names:
        if name in RESERVED:
            raise RecipeError(f"tasks: {name!r} is a column with another meaning: give the task another name")
    rows = []
    for split, rooms in splits.items():
        for sample, known in zip((rooms[i] for i in range(len(rooms))), rooms.labelled().tolist(), strict=True):
            row = _write_inputs(sample, folder) | {"split": split} | dict.fromkeys(names, "")
            for task, labelled in zip(rooms.tasks.values(), known, strict=True):
                if labelled:
                    row[task.name] = _write_label(sample, task, folder)
            rows.append(row)
    columns = ("id", "image", "split", "regions", *INTRINSICS, *names)
    return write_table(Table(folder / "table.csv", columns, rows))


def _write_inputs(sample: Sample, folder: Path) -> dict[str, str]:
    assert sample.regions is not None
    colours = np.rint(sample.image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    return {
        "id": sample.id,
        "image": _save(colours, folder, "images", sample.id),
        "regions": _save((sample.regions.numpy() + 1).astype(np.uint16), folder, "regions", sample.id),
        **{column: f"{value:.9g}" for column, value in zip(INTRINSICS, sample.intrinsics.tolist(), strict=True)},
    }


def _write_label(sample: Sample, task: Task, folder: Path) -> str:
    encoded = task.encode(sample.targets[task.name])
    return _save(encoded, folder, task.name, sample.id) if isinstance(encoded, np.ndarray) else str(encoded["cell"])


def _save(array: np.ndarray, folder: Path, kind: str, name: str) -> str:
    """Write a label or an image and return its path as a table holds it."""
    path = folder / kind / f"{name}{label_suffix(array)}"
    try:
        write_label(path, array)
    except OSError as error:
        raise DataError(f"{path}: cannot write the file ({error.strerror or error})") from None
    return path.relative_to(folder).as_posix()
