"""Whether what a run was begun with is still what it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crosstask.data.options import DataOptions
from crosstask.data.stamps import stamp
from crosstask.data.table.places import table_file
from crosstask.data.table.sources import sources
from crosstask.data.table.table import Table
from crosstask.training.plan import Plan

FILE = "fingerprint.json"


def fingerprint(plan: Plan, recipe: bytes) -> dict[str, Any]:
    """What a run depends on: what :func:`of_data` says of its training rows and the file of its recipe, and the labels
    that the protocol leaves them."""
    table = plan.splits.labels
    rows = json.dumps([table.columns, table.rows], ensure_ascii=False, sort_keys=True)
    dense = [name for name, task in plan.tasks.items() if task.dense]
    return of_data(recipe, plan.recipe.data, table, dense) | {"labels": _digest(rows.encode())}


def of_data(recipe: bytes, data: DataOptions, table: Table, columns: Sequence[str]) -> dict[str, Any]:
    """Digests of a recipe file and of its tables, and by path the size and the time of change of every file that rows
    name.

    Args:
        recipe: what the file holds.
        data: what it says of data.
        table: the rows.
        columns: columns of files, beside images and regions.
    """
    return {
        "recipe": _digest(recipe),
        "tables": digests(data),
        "files": {str(path): stamp(path) for path in _files(table, data, columns)},
    }


def digests(data: DataOptions) -> dict[str, str]:
    """A digest of each table of a recipe by its path; none for made-up rooms."""
    paths = [] if data.table is None else [source.path for source in sources(data.table)]
    return {str(path): _digest(table_file(str(path)).read_bytes()) for path in paths}


def changed_tables(before: dict[str, Any], now: dict[str, str]) -> list[str]:
    """The tables that are not what a fingerprint says."""
    return [path for path, digest in now.items() if before.get("tables", {}).get(path) != digest]


def changes(before: dict[str, Any], now: dict[str, Any], recipe: Path) -> list[str]:
    """What differs between two fingerprints, in words; a file that is not named any more shows in the table."""
    found = []
    if before.get("recipe") != now["recipe"]:
        found.append(str(recipe))
    found += changed_tables(before, now["tables"])
    if not found and before.get("labels") != now.get("labels"):
        found.append("the labels that data.labels leaves")
    files = before.get("files", {})
    changed = [path for path, held in now["files"].items() if path in files and files[path] != held]
    if changed:
        found.append(changed[0] + (f" and {len(changed) - 1} more of its files" if len(changed) > 1 else ""))
    return found


def _files(table: Table, data: DataOptions, columns: Sequence[str]) -> list[Path]:
    if data.table is None:
        return []
    named = ["image", *columns, *(["regions"] if data.regions else [])]
    return [
        table.resolve(index, column, data.confined)
        for index, row in enumerate(table.rows)
        for column in named
        if row.get(column)
    ]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
