"""What a column of label files holds, by a look into some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crosstask.data.decode.files import load_label
from crosstask.data.table.levels import WHITE, Levels
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.tasks import Depth, Disparity, Normals, Saliency, Segmentation, Task
from crosstask.tasks.files import extremes, plane

HINTS: dict[tuple[str, ...], Callable[[str], Task]] = {
    ("disparity", "disp", "inverse_depth", "inv_depth", "invdepth"): Disparity,
    ("depth", "distance"): Depth,
    ("saliency", "salient", "foreground", "figure", "alpha", "matte"): Saliency,
}
"""Words in the name of a column that tell one value per pixel from another."""
_FIRST, _FILES = 5, 200
_GOLDEN = 0.6180339887
_FAR = 1000
"""What 16 bits of depth go beyond, in millimetres."""


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
    rows = _spread(rows)
    arrays = _telling(table, column, rows)
    if not arrays:
        raise DataError(f"none of its first files can be read ({_refusal(table, column, rows[0])})")
    first = arrays[0]
    layout = f"{first.dtype} files of shape {first.shape}"
    planes = [found for found in map(_plane, arrays) if found is not None]
    coloured = first.ndim == 3 and 1 not in (first.shape[0], first.shape[-1])
    if not planes or (coloured and len(planes) < len(arrays)):
        if _hinted(column, "norm") or _near_unit(arrays):
            return Normals(column), f"{layout} of vectors"
        return None, f"{layout} are neither one value per pixel nor unit vectors"
    for words, make in HINTS.items():
        if _hinted(column, *words):
            return make(column), f"by its name ({layout})"
    if first.dtype.kind == "f" and any((each != np.rint(each))[~np.isnan(each)].any() for each in planes):
        highest = max(float(np.nanmax(each, initial=0)) for each in planes)
        return (
            (Saliency(column), f"{layout} in [0, 1]")
            if highest <= 1
            else (Depth(column), f"{layout} up to {highest:.4g}")
        )
    levels = _levels(table, column, rows)
    if levels.many and first.dtype.kind in "iu" and first.dtype.itemsize > 1 and levels.highest > _FAR:
        return Depth(column), f"{layout} up to {levels.highest}"
    return _of_whole_numbers(column, levels, layout, most)


def _of_whole_numbers(column: str, levels: Levels, layout: str, most: int) -> tuple[Task | None, str]:
    """Masks or class ids; of anything else the reason why it is neither."""
    highest = levels.highest
    if not levels.files:
        return None, "its first files hold nothing that is known"
    if levels.masks:
        return Saliency(column), f"{layout} of 0 and {max(highest, WHITE)}"
    if levels.soft:
        return Saliency(column), f"{layout}, most of whose pixels are 0 or {WHITE} and some between"
    if levels.many:
        return None, f"{levels.typical} different values in a file, up to {highest}, are too many for classes"
    if highest < 0:
        return None, f"the first {levels.files} files hold nothing but what is unknown"
    if highest > most:
        return None, f"ids up to {highest} are too many for classes"
    return Segmentation(column, classes=highest + 1), f"ids 0 to {highest} in {levels.files} files, 255 unknown"


def _spread(rows: Sequence[int]) -> list[int]:
    """The rows in an order of which every beginning is spread evenly over them all."""
    order = sorted(range(len(rows)), key=lambda index: index * _GOLDEN % 1)
    return [rows[index] for index in order]


def _telling(table: Table, column: str, rows: Sequence[int]) -> list[np.ndarray]:
    """What the first files hold that hold more than one value; what any hold where there is none."""
    flat: list[np.ndarray] = []
    telling: list[np.ndarray] = []
    for tried, row in enumerate(rows[:_FILES]):
        if len(telling) == _FIRST or (tried == _FIRST and not (flat or telling)):
            break
        array = _array(table, column, row)
        if array is not None and array.size:
            lowest, highest = extremes(array)
            (telling if lowest < highest else flat).append(array)
        del flat[_FIRST:]
    return telling or flat


def _levels(table: Table, column: str, rows: Sequence[int]) -> Levels:
    """The whole numbers of many files; of all of them as long as none holds more than one."""
    levels = Levels()
    for tried, row in enumerate(rows):
        if tried >= _FILES and levels.telling:
            break
        array = _array(table, column, row)
        found = None if array is None else _plane(array)
        if found is not None:
            levels.add(found)
    return levels


def _array(table: Table, column: str, row: int) -> np.ndarray | None:
    """What a file holds; None where it cannot be read."""
    try:
        return load_label(table.resolve(row, column))
    except DataError:
        return None


def _plane(array: np.ndarray) -> np.ndarray | None:
    """One value per pixel, also of colours that are grey; None for others, and for black, which tells nothing."""
    try:
        found = plane(array, "segmentation")
    except ValueError:
        return None
    return None if array.shape[2:] == (3,) and not found.any() else found


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
