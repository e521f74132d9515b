"""Vectors of numbers from MATLAB, NumPy and text files: splits and class maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crosstask.errors import DataError
from crosstask.reading import regular


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """The vectors of whole numbers in a file, by the name of their variable (fields of structures included).

    Args:
        path: ``.mat`` (before version 7.3), ``.npy``, or text with numbers between spaces or commas.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        content = _content(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: check the path") from None
    except NotImplementedError:
        raise DataError(f"{path}: a MATLAB file of version 7.3: save it with save(name, '-v7')") from None
    except Exception as error:  # readers of broken files raise whatever they stumble over
        raise DataError(f"{path}: cannot be read ({' '.join(str(error).split())[:120]})") from None
    return {
        name: np.rint(array).astype(np.int64).ravel()
        for name, array in _arrays(path.stem, content)
        if array.size and array.size == max(array.shape, default=0) and np.isfinite(array).all()
    }


def _content(path: Path) -> Any:
    if path.suffix.lower() == ".mat":
        from scipy.io import loadmat

        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    if path.suffix.lower() == ".npy":
        return np.load(path, allow_pickle=False)
    return np.array([float(word) for word in regular(path).read_text("utf-8").replace(",", " ").split()])


def _arrays(name: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays(key, item)
    elif isinstance(value, np.ndarray) and value.dtype.names:
        for key in value.dtype.names:
            for item in value[key].ravel():
                yield from _arrays(key, item)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        yield name, value


def read_class_map(path: Path, lengths: tuple[int, ...], classes: int) -> np.ndarray:
    """The class (1 to ``classes``, 0 none) of each id from 1 on.

    Args:
        path: see :func:`read_vectors`.
        lengths: how many ids there may be.
        classes: how many classes there are.

    Raises:
        DataError: no vector, or several different ones, can be that map.
    """
    vectors = read_vectors(path)
    fitting = {
        name: vector
        for name, vector in vectors.items()
        if len(vector) in lengths and vector.min() >= 0 and vector.max() <= classes
    }
    if len({vector.tobytes() for vector in fitting.values()}) != 1:
        found = ", ".join(f"{name} ({len(vector)})" for name, vector in vectors.items()) or "none"
        wanted = " or ".join(map(str, lengths))
        raise DataError(
            f"{path}: needs one vector of {wanted} classes from 0 to {classes}, found {len(fitting)} among: {found}"
        )
    return next(iter(fitting.values()))
