"""Whether what a run was begun with is still what it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from crosstask.data.table.sources import sources
from crosstask.data.table.table import Table
from crosstask.remote import url_of
from crosstask.remote.members import member_of
from crosstask.training.plan import Plan
from crosstask.training.run import Run

FILE = "fingerprint.json"


def fingerprint(plan: Plan, run: Run) -> dict[str, Any]:
    """What a run depends on: the text of its recipe and of its tables, the labels that the protocol leaves, and by path
    the size and the time of change of every file that training reads."""
    table, given = plan.splits.labels, plan.recipe.data.table
    tables = [] if given is None else [source.path for source in sources(given)]
    rows = json.dumps([table.columns, table.rows], ensure_ascii=False, sort_keys=True)
    return {
        "recipe": _digest(run.recipe_path.read_bytes()),
        "tables": {str(path): _digest(Path(path).read_bytes()) for path in tables},
        "labels": _digest(rows.encode()),
        "files": {str(path): _stamp(path) for path in _files(table, plan)},
    }


def changes(before: dict[str, Any], now: dict[str, Any], run: Run) -> list[str]:
    """What differs, in words; a file that is not named any more shows in the table."""
    found = []
    if before.get("recipe") != now["recipe"]:
        found.append(str(run.recipe_path))
    found += [path for path, digest in now["tables"].items() if before.get("tables", {}).get(path) != digest]
    if not found and before.get("labels") != now["labels"]:
        found.append("the labels that data.labels leaves")
    files = before.get("files", {})
    changed = [path for path, stamp in now["files"].items() if path in files and files[path] != stamp]
    if changed:
        found.append(changed[0] + (f" and {len(changed) - 1} more of its files" if len(changed) > 1 else ""))
    return found


def _files(table: Table, plan: Plan) -> list[Path]:
    if plan.recipe.data.table is None:
        return []
    columns = ["image", *(name for name, task in plan.tasks.items() if task.dense)]
    columns += ["regions"] if plan.recipe.data.regions else []
    return [
        table.resolve(index, column, plan.recipe.data.confined)
        for index, row in enumerate(table.rows)
        for column in columns
        if row.get(column)
    ]


def _stamp(path: Path) -> list[int] | None:
    if url_of(path) is not None:
        return None  # in the cache today, gone tomorrow: it says nothing of the file itself
    member = member_of(path)
    try:
        status = (path if member is None else member.tar).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
