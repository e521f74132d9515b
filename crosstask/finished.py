"""What is finished of a long work: a line of JSON for each item, whatever interrupts it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crosstask.reading import require_regular
from crosstask.schema import parse_as

UNFINISHED = ".unfinished.jsonl"
"""Its name in a folder of results, for as long as not all are there."""


def finished(path: Path, hint: Any) -> list[Any]:
    """The lines of a file; one that was cut off is forgotten, in the file too.

    Args:
        path: the file; none is nothing finished.
        hint: what a line has to be, as for :func:`~crosstask.schema.parse_as`.

    Raises:
        UserError: a whole line is something else; names line, key and value.
    """
    if not path.exists():
        return []
    require_regular(path)
    found, whole = [], 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            where = f"{path}, line {number}"
            found.append(parse_as(line.decode("utf-8", "replace"), hint, where, "remove the line, or the file"))
            whole += len(line)
    os.truncate(path, whole)
    return found


@contextmanager
def finishing(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yields a function that adds a line."""
    with open(path, "a", encoding="utf-8") as file:

        def add(entry: Mapping[str, Any]) -> None:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()

        yield add
