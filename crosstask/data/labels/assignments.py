"""Official assignments of labels to samples: which image keeps the labels of which tasks, as one tensor."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crosstask.errors import DataError
from crosstask.reading import regular

KEY = "labels_weights"


def read_assignment(path: Path, ids: Sequence[str], tasks: Sequence[str]) -> Tensor:
    """The rows of an assignment that belong to samples, bool (N, T).

    The file is ``torch.save({"labels_weights": float (M, K)})``, above 0 where a label is kept. Its columns are tasks,
    without names: those of the recipe have to come in the same order (semantic, depth, normals). Its rows are samples:
    a sample whose id ends in a number takes that row (``train/17``: row 17, from 0); where the ids are no such numbers,
    there have to be as many samples as rows, and both are in the same order.

    Args:
        path: the file; only tensors are read from it.
        ids: the ids of the N samples.
        tasks: the names of the T tasks.

    Raises:
        DataError: the file is missing or holds something else, or its shape does not fit.
    """
    kept = _read(path)
    rows, columns = kept.shape
    if columns != len(tasks):
        raise DataError(
            f"{path}: is for {columns} tasks, the recipe has {len(tasks)} ({', '.join(tasks)}): name in it the tasks "
            "of the file, in the file's order"
        )
    numbers = [int(found[1]) if (found := re.fullmatch(r"(?:.*/)?(\d+)", name)) else rows for name in ids]
    if max(numbers) < rows and len(set(numbers)) == len(numbers):
        return kept[numbers]
    if len(ids) == rows:
        return kept
    raise DataError(
        f"{path}: has {rows} rows but there are {len(ids)} training samples, with ids like {ids[0]!r}: use ids that "
        f"end in the number of the row (0 to {rows - 1}), or as many samples as rows"
    )


def _read(path: Path) -> Tensor:
    try:
        content = torch.load(regular(path), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: give the .pth file of the assignment") from None
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(
            f"{path}: not a file of tensors ({reason}): it should be torch.save({{{KEY!r}: ...}})"
        ) from None
    held = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(held, Tensor) or held.ndim != 2 or not held.numel():
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: holds no {KEY}, one row per sample and one column per task (found: {found})")
    return held > 0
