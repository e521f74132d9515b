"""What a column of label files holds, by a look into some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crosstask.data.decode.files import load_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.tasks import Depth, Disparity, Normals, Saliency, Segmentation, Task

HINTS: dict[tuple[str, ...], Callable[[str], Task]] = {
    ("disparity", "disp"): Disparity,
    ("depth", "distance"): Depth,
    ("saliency", "salient", "foreground", "figure"): Saliency,
}
"""Words in the name of a column that tell one value per pixel from another."""
_FILES = 200


def task_of_files(table: Table, column: str, rows: Sequence[int], most: int) -> tuple[Task | None, str]:
    """The task of a column of files, and why, or None and why not.

    Args:
        table: the table.
        column: one of its columns.
        rows: the rows where it is not blank.
        most: the highest id that may be a class.

    Raises:
        DataError: none of the first files can be read.
    """
    first_rows = _spread(rows, 5)
    arrays = _arrays(table, column, first_rows)
    if not arrays:
        raise DataError(f"none of its first files can be read ({_refusal(table, column, first_rows[0])})")
    first = arrays[0]
    layout = f"{first.dtype} files of shape {first.shape}"
    planes = first.ndim == 2 or 1 in (first.shape[0], first.shape[-1])
    if not planes:
        if _hinted(column, "norm") or _near_unit(arrays):
            return Normals(column), f"{layout} of vectors"
        return None, f"{layout} are neither one value per pixel nor unit vectors"
    for words, make in HINTS.items():
        if _hinted(column, *words):
            return make(column), f"by its name ({layout})"
    highest = max(float(np.nanmax(array, initial=0)) for array in arrays)
    if first.dtype.kind == "f" and any((array != np.rint(array))[~np.isnan(array)].any() for array in arrays):
        return (
            (Saliency(column), f"{layout} in [0, 1]")
            if highest <= 1
            else (Depth(column), f"{layout} up to {highest:.4g}")
        )
    if first.dtype.kind in "iu" and first.dtype.itemsize > 1 and highest > 1000:
        return Depth(column), f"{layout} up to {highest:g}"
    levels = set(np.unique(np.concatenate([np.unique(array) for array in arrays])).tolist())
    if levels <= {0, 255}:
        return Saliency(column), f"{layout} of 0 and 255"
    return _segmentation(table, column, rows, most)


def _segmentation(table: Table, column: str, rows: Sequence[int], most: int) -> tuple[Task | None, str]:
    highest = -1
    sample = _spread(rows, _FILES)
    for row in sample:
        for array in _arrays(table, column, [row]):
            ids = array[(array != 255) & (array == array)]
            highest = max(highest, int(ids.max())) if ids.size else highest
    if highest < 0:
        return None, f"the first {len(sample)} files hold nothing but 255"
    if highest > most:
        return None, f"ids up to {highest} are too many for classes"
    return Segmentation(column, classes=highest + 1), f"ids 0 to {highest} in {len(sample)} files, 255 unknown"


def _spread(rows: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of the rows, evenly spread."""
    return [rows[i * len(rows) // count] for i in range(count)] if len(rows) > count else list(rows)


def _arrays(table: Table, column: str, rows: Sequence[int]) -> list[np.ndarray]:
    """What the files hold that can be read."""
    found = []
    for row in rows:
        try:
            found.append(load_label(table.resolve(row, column)))
        except DataError:
            continue
    return found


def _refusal(table: Table, column: str, row: int) -> str:
    try:
        load_label(table.resolve(row, column))
    except DataError as error:
        return str(error)
    return "they are empty"


def _hinted(column: str, *words: str) -> bool:
    return any(word in column.lower() for word in words)


def _near_unit(arrays: Sequence[np.ndarray]) -> bool:
    task = Normals("guess")
    try:
        return all(task.parse(array).known().any() for array in arrays)
    except ValueError:
        return False
