"""Label files as arrays: the layouts people store, brought to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


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
            )
        return array[..., 0]
    if array.ndim != 2:
        raise ValueError(f"a {what} label is (H, W), found {array.shape}: store one value per pixel")
    return array


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


def quantity(array: np.ndarray | str, what: str, unit: float, offset: int = 0) -> np.ndarray:
    """A positive quantity, float32 (1, H, W): integers less ``offset``, times ``unit``; floats as they are.

    0 and NaN become NaN, and with an ``offset`` all integers up to it.

    Raises:
        ValueError: not one value per pixel, or a negative or infinite value.
    """
    stored = plane(array, what)
    if stored.dtype.kind == "f":
        values = stored.astype(np.float32)
    elif offset:
        values = ((stored.astype(np.float64) - offset).clip(0) * unit).astype(np.float32)
    else:
        values = np.multiply(stored, unit, dtype=np.float64).astype(np.float32)
    lowest, highest = extremes(values)
    if np.inf in (-lowest, highest):
        raise ValueError(f"{what} is infinite at {np.isinf(values).sum()} pixels: store 0 or NaN where it is not known")
    if lowest < 0:
        raise ValueError(
            f"{what} is negative ({lowest:.4g}) at {(values < 0).sum()} pixels: store 0 or NaN where it is not known"
        )
    np.copyto(values, np.nan, where=values == 0)
    return values[None]


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value that is known, both NaN where none is."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def stored(values: np.ndarray, unit: float, offset: int = 0) -> np.ndarray:
    """What :func:`quantity` reads, as uint16 (H, W): 0 unknown, known values clipped to 1 + ``offset``..65535."""
    units = np.rint(values.astype(np.float64) / unit + offset).clip(1 + offset, np.iinfo(np.uint16).max)
    return np.where(np.isnan(values), 0, units).astype(np.uint16)
