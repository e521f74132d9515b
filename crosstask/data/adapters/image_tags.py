"""Image tags: from the masks of images, or from a file of tags by id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crosstask.data.table.formats import text_of
from crosstask.data.table.tag_columns import NONE
from crosstask.errors import DataError
from crosstask.reading import regular, unique_keys
from crosstask.tasks.cells import typed
from crosstask.tasks.tags import Tagging


def tags_cell(present: Iterable[int], names: Sequence[str]) -> str:
    """The indices of the tags that are present, as a cell."""
    return ";".join(names[index] for index in sorted(present)) or NONE


def read_tags(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Cells of tags by image id.

    Args:
        path: a JSON object, id -> names or indices of the tags present, or a 0/1 for each of ``names``; or a ``.npz``
            with an array of 0/1 for each id.
        names: the names of the tags.

    Raises:
        DataError: the file is missing or broken, would have to be unpickled, or holds a tag that is unknown.
    """
    if path.suffix.lower() == ".npy":
        code = (
            f"import json, numpy as n; d = n.load('{path}', allow_pickle=True).item(); "
            f"json.dump({{k: v.tolist() for k, v in d.items()}}, open('{path.with_suffix('.json')}', 'w'))"
        )
        raise DataError(
            f"{path}: a pickled dictionary, which can execute code and is never opened; if you trust it, convert it "
            f'with python -c "{code}" and give the .json'
        )
    try:
        content = _read_npz(regular(path)) if path.suffix.lower() == ".npz" else _read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read the tags ({error}): give a JSON object, id -> tags, or a .npz") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}: give a JSON object, id -> tags")
    return {name: _cell(path, name, value, names) for name, value in content.items()}


def _read_json(path: Path) -> Any:
    return json.loads(text_of(path), object_pairs_hook=unique_keys)


def _read_npz(path: Path) -> dict[str, list[float]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].tolist() for name in archive.files}


def _cell(path: Path, name: str, value: object, names: Sequence[str]) -> str:
    try:
        if value == []:
            return NONE
        task = Tagging("tags", classes=list(names))
        return task.encode(task.parse(typed(value)))["cell"]
    except ValueError as error:
        raise DataError(f"{path}, id {name!r}: {error}") from None
