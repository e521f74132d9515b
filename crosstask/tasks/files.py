"""Label files as arrays: the layouts people store, brought to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosstask.tasks.cells import require_distinct

_FINE = 100


def plane(array: np.ndarray | str, what: str) -> np.ndarray:
    """One value per pixel, (H, W), from (H, W), (H, W, 1), (1, H, W), or RGB whose channels agree.

    Raises:
        ValueError: another shape, channels that differ, or not numbers.
    """
    array = numbers(array, what)
    if array.ndim == 3 and array.shape[-1] == 1:
        return array[..., 0]
    if array.ndim == 3 and array.shape[0] == 1:
        return array[0]
    if array.ndim == 3 and array.shape[-1] == 3:
        if not (array == array[..., :1]).all():
            raise ValueError(
                f"a {what} label has one value per pixel, found colours {array.shape}: store it as a grey image, or as "
                "class ids rather than the colours that show them"
                + (" (or give the colour of each class with colours)" if what == "segmentation" else "")
            )
        return array[..., 0]
    if array.ndim != 2:
        axis = _one_hot(array)
        hint = f": it looks one-hot along axis {axis}, store array.argmax({axis})" if axis is not None else ""
        raise ValueError(f"a {what} label is (H, W), found {array.shape}{hint or ': store one value per pixel'}")
    return array


def _one_hot(array: np.ndarray) -> int | None:
    """The axis along which exactly one value of each pixel is 1 and the others 0."""
    if array.ndim != 3 or not np.isin(array, (0, 1)).all():
        return None
    return next((axis for axis in (0, 2) if (array.sum(axis) == 1).all()), None)


def whole(array: np.ndarray | str, what: str) -> np.ndarray:
    """Ids, int64 (H, W), from a :func:`plane` of integers or of whole floats; NaN becomes -1.

    Raises:
        ValueError: not one value per pixel, or a fraction or an infinity.
    """
    ids = plane(array, what)
    if ids.dtype.kind == "f":
        if not np.array_equal(ids, np.rint(ids), equal_nan=True) or np.isinf(ids).any():
            raise ValueError("class ids are fractions or infinite: store whole numbers, not probabilities")
        ids = np.where(np.isnan(ids), -1, ids)
    return ids.astype(np.int64)


def remap_table(remap: Mapping[int, int]) -> np.ndarray:
    """The label of each id from 0 to the largest that is listed, -1 for others, int64."""
    table = np.full(max(remap) + 1, -1, dtype=np.int64)
    for file_id, label in remap.items():
        table[file_id] = label
    return table


def looked_up(ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The entries of a table of ids, -1 for those it does not reach."""
    listed = (ids >= 0) & (ids < len(table))
    return np.where(listed, table[np.where(listed, ids, 0)], -1)


def vectors(array: np.ndarray | str, what: str) -> np.ndarray:
    """Three values per pixel, (3, H, W), from (H, W, 3) or (3, H, W).

    Raises:
        ValueError: another shape, or not numbers.
    """
    array = numbers(array, what)
    if array.ndim == 3 and array.shape[-1] == 3:
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))  # sums over the three are 9 times faster so
    if array.ndim == 3 and array.shape[0] == 3:
        return array
    raise ValueError(f"a {what} label is (H, W, 3) or (3, H, W), found {array.shape}: store three values per pixel")


def numbers(array: np.ndarray | str, what: str) -> np.ndarray:
    """``array`` itself, once it is sure that it holds numbers.

    Raises:
        ValueError: it is text, or an array of anything else.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError(f"a {what} label is a file, found the text {array!r}: give the path of an image or .npy file")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"a {what} label holds {array.dtype} values: store numbers")
    if not array.size:
        raise ValueError(f"a {what} label has no pixels, found {array.shape}: store it anew")
    return array


def quantity(
    array: np.ndarray | str,
    what: str,
    unit: float | None,
    default: float,
    offset: int = 0,
    invalid: list[float] | None = None,
) -> np.ndarray:
    """A positive quantity, float32 (1, H, W): stored numbers less ``offset`` (of integers), times the unit.

    0, NaN and what ``invalid`` names become NaN, and with an ``offset`` all integers up to it.

    Args:
        array: the label.
        what: its kind, for messages.
        unit: of integers and floats alike; None for ``default`` of integers, and floats as they are.
        default: see ``unit``.
        offset: subtracted from integers.
        invalid: stored values that stand for no reading. None refuses the largest value a file of 16 or 32 bits holds,
            which nearly always does; give an empty list where it is a measurement.

    Raises:
        ValueError: not one value per pixel; a negative, infinite or largest value that is not declared.
    """
    stored = plane(array, what)
    whole = stored.dtype.kind in "iu"
    step = unit or (default if whole else 1.0)
    if offset and not whole:
        raise ValueError(
            f"offset is {offset}, which is about files of integers, and this one holds floats: leave it out"
        )
    if whole and offset:
        values = ((stored.astype(np.float64) - offset).clip(0) * step).astype(np.float32)
    elif step == 1:
        values = stored.astype(np.float32)
    else:
        values = np.multiply(stored, step, dtype=np.float64).astype(np.float32)
    gone = np.isin(stored, np.asarray(invalid, np.float64)) if invalid else None
    if gone is not None:
        values[gone] = np.nan
    full = _full(stored) if invalid is None else None
    if full is not None and (stored == full).any():
        raise ValueError(
            f"{what} holds {full:.12g}, the largest value the file can hold, at {int((stored == full).sum())} pixels: "
            f"most files mark no reading so, then set invalid: [{full:.12g}]; set invalid: [] where it is a measurement"
        )
    lowest, highest = extremes(values)
    if np.inf in (-lowest, highest):
        raise ValueError(
            f"{what} is infinite at {np.isinf(values).sum()} pixels: set invalid: ['inf'] (or ['-inf']) where that "
            "stands for no reading, or store 0 or NaN there"
        )
    if lowest < 0:
        found = float(stored[values == lowest][0])
        if 2 * int((values < 0).sum()) > int((~np.isnan(values)).sum()):
            raise ValueError(
                f"{what} is negative at most pixels (down to {found:.4g}): store it with the other sign, distances in "
                "front of the camera are positive"
            )
        raise ValueError(
            f"{what} is negative (stored {found:.12g}) at {(values < 0).sum()} pixels: set invalid: [{found:.12g}] "
            "where that stands for no reading, or store 0 or NaN there"
        )
    np.copyto(values, np.nan, where=values == 0)
    return values[None]


def marks_of(invalid: list[float | str] | None) -> list[float] | None:
    """Stored values that stand for no reading, as numbers; "inf" and "-inf" may be text.

    Raises:
        ValueError: one is no number, or there twice.
    """
    if invalid is None:
        return None
    try:
        values = [float(value) for value in invalid]
    except ValueError:
        raise ValueError(f"invalid is {invalid}: give numbers, [65535] say") from None
    require_distinct("invalid", values)
    return values


def _full(stored: np.ndarray) -> float | None:
    """The value that 16- and 32-bit files have for "all bits set", whatever type they were read as."""
    if stored.dtype.kind == "f" or stored.dtype.itemsize > 1:
        highest = float(np.fmax.reduce(stored, axis=None))
        if highest in (2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1):
            return highest
    return None


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value that is known, both NaN where none is."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def stored(values: np.ndarray, unit: float | None, default: float, offset: int = 0) -> np.ndarray:
    """What :func:`quantity` reads back: uint16 (H, W) in units, 0 unknown, where those hold every value and are fine
    enough for them (100 units in the median); otherwise float32 (H, W), NaN unknown."""
    step = unit or default
    known = values[~np.isnan(values)]
    units = np.rint(values.astype(np.float64) / step + offset)
    limit = np.iinfo(np.uint16).max - 1
    if known.size and (np.nanmax(units) > limit or np.median(known) < _FINE * step):
        return (values.astype(np.float64) / (unit or 1.0)).astype(np.float32)
    return np.where(np.isnan(values), 0, np.nan_to_num(units).clip(1 + offset, limit)).astype(np.uint16)
