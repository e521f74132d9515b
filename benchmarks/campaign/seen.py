"""What a command left, as a person would look at it: files without what tells times, and what should not be there."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crosstask.writing import is_part

TIMES = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory", "seconds",
         "relative_to_supervised", "memory_relative_to_supervised"}  # fmt: skip
"""Keys of logs and columns of tables that hold times and memory, and the quotients of these."""
TIMED_COLUMNS = ("s per step", "/ supervised", "memory")
"""The same in tables for people."""
UNCOMPARED = {"environment.json", "state.pt", "fingerprint.json", "error.txt", "log.txt", "said.txt"}
"""Files that tell times and machines; state.pt is compared through the weights that a resumed run ends with."""


def files(folder: Path) -> dict[str, object]:
    """What a person would look at, by path: bytes, or what remains without times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.name not in UNCOMPARED and not path.name.endswith(".lock"):
            found[name] = READERS.get(path.suffix, Path.read_bytes)(path)
    return found


def _values(value: Any) -> Any:
    """JSON without the keys that hold times."""
    if isinstance(value, dict):
        return {key: _values(each) for key, each in value.items() if key not in TIMES}
    return [_values(each) for each in value] if isinstance(value, list) else value


def _lines(path: Path) -> Any:
    return [_values(json.loads(line)) for line in path.read_text().splitlines()]


def _rows(path: Path) -> Any:
    with open(path, newline="") as file:
        return [{key: cell for key, cell in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def _markdown(path: Path) -> Any:
    """The lines, those of tables without the columns of times."""
    lines, timed = [], set()
    for line in path.read_text().splitlines():
        cells = line.split(" | ") if line.startswith("|") else None
        if cells is None:
            timed = set()
        elif not timed:
            timed = {index for index, cell in enumerate(cells) if cell.strip("| ") in TIMED_COLUMNS} or {-1}
        lines.append([cell for index, cell in enumerate(cells) if index not in timed] if cells else line)
    return lines


def _archive(path: Path) -> Any:
    """The weights and constants in an exported program; the program itself numbers its nodes as it likes."""
    with zipfile.ZipFile(path) as archive:
        members = {each.filename.partition("/")[2]: each.CRC for each in archive.infolist()}
    return {name: crc for name, crc in members.items() if re.search("weights|constants", name) and "json" not in name}


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: _values(json.loads(path.read_text())),
    ".jsonl": _lines,
    ".csv": _rows,
    ".md": _markdown,
    ".pt2": _archive,
    ".html": lambda path: "there",  # shows times and memory in its charts
}


def leftovers(folder: Path) -> list[str]:
    """Files and folders that only a killed process leaves."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if is_part(path.name) or "lock" in path.name]


def different(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """The paths at which two folders differ."""
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
