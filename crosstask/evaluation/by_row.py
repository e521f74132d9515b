"""Numbers of each image of a large set: one pass, a fixed number of floats per image, resumed where it was left."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from crosstask.claims import claimed
from crosstask.data.labels.subsets import Subset
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Batch
from crosstask.errors import RunError, UserError
from crosstask.writing import whole, write

CHUNK = 1024
"""Images between two files: what an interruption costs at most."""
KEY = "key.json"
LOCK = ".lock"

Progress = Callable[[int, int | None], object]


def by_row(
    dataset: Dataset,
    batches: Callable[[Dataset], Iterable[Batch]],
    measure: Callable[[Batch], Tensor],
    columns: int,
    folder: Path,
    key: Sequence[str],
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> np.ndarray:
    """What ``measure`` says of each image, in the order of the data set.

    Memory is 4 bytes times ``columns`` for each image, and one batch. Finished chunks lie in ``folder`` as whole files;
    a pass with the same ``key`` over the same ids goes on behind them, any other begins anew.

    Args:
        dataset: the images.
        batches: a data set to its batches, in order.
        measure: a batch to float (B, columns).
        columns: floats per image.
        folder: where chunks are kept.
        key: what the numbers depend on beside the ids: weights, what is read, views, tasks.
        progress: called with (images done, images in all).
        chunk: images per file.

    Returns:
        float32 (N, columns).

    Raises:
        UserError: another process is at work in the folder.
        RunError: a file cannot be written.
        DataError: an image cannot be read; what was finished stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with claimed(folder / LOCK) as mine:
            if not mine:
                raise UserError(f"{folder}: another process writes there: wait for it, end it, or give another --out")
            return _pass(dataset, batches, measure, columns, folder, key, progress, chunk)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); free some space and run the "
            "command again, it goes on where it was"
        ) from error


def _pass(
    dataset: Dataset,
    batches: Callable[[Dataset], Iterable[Batch]],
    measure: Callable[[Batch], Tensor],
    columns: int,
    folder: Path,
    key: Sequence[str],
    progress: Progress | None,
    chunk: int,
) -> np.ndarray:
    count = len(dataset)
    identity = hashlib.sha256("\0".join(dataset.ids).encode()).hexdigest()
    said = json.dumps([list(key), identity, count, columns, chunk])
    table = np.full((count, columns), np.nan, dtype=np.float32)
    known = _same(folder / KEY, said)
    start = done = _finished(folder, table, chunk) if known else 0
    report = progress or (lambda done, total: None)
    report(done, count)
    if done == count:
        return table
    for batch in batches(Subset(dataset, range(done, count)) if done else dataset):
        table[done : done + len(batch)] = measure(batch).numpy()
        done += len(batch)
        while done - start >= chunk or (done == count and done > start):
            if not known:  # what another pass left there stays until this one has something of its own
                _begin(folder, said)
                known = True
            end = min(start + chunk, count)
            _save(folder / f"{start:09d}.npy", table[start:end])
            start = end
        report(done, count)
    return table


def _same(key: Path, said: str) -> bool:
    """Whether the pass in a folder is the one that ``said`` stands for."""
    return key.is_file() and key.read_text(encoding="utf-8", errors="replace") == said


def _begin(folder: Path, said: str) -> None:
    for old in folder.glob("*.npy"):
        old.unlink()
    write(folder / KEY, said)


def _finished(folder: Path, table: np.ndarray, chunk: int) -> int:
    """Read what is finished into ``table``, and say how many rows that is."""
    done = 0
    while done < len(table):
        end = min(done + chunk, len(table))
        stored = _load(folder / f"{done:09d}.npy", table[done:end].shape)
        if stored is None:
            break
        table[done:end] = stored
        done = end
    return done


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return stored if stored.shape == shape else None


def _save(path: Path, rows: np.ndarray) -> None:
    content = io.BytesIO()
    np.save(content, rows)
    with whole(path, durable=True) as part:
        part.write_bytes(content.getvalue())
