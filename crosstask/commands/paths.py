"""Paths that are not what they have to be: said before anything heavy is imported."""

from __future__ import annotations

import tempfile
from pathlib import Path

from crosstask.errors import DataError, UserError
from crosstask.folders import require_kind

MOST = 4000
TABLES = (".csv", ".jsonl", ".parquet")
"""Endings of the tables that are written."""


def require_run(path: str) -> Path:
    """
    Raises:
        UserError: the folder holds no run.
    """
    if not (sound(path) / "recipe.yaml").is_file():
        raise UserError(f"{path!r} is not a run: there is no recipe.yaml in it")
    require_kind(Path(path), "training run")
    return Path(path)


def require_folder(path: str, flag: str = "") -> Path:
    """
    Raises:
        UserError: there is no such folder.
    """
    if not sound(path, flag).is_dir():
        raise UserError(f"{flag} {path!r}: no such folder: check the path".lstrip())
    return Path(path)


def require_relatedness(source: str, flag: str) -> None:
    """
    Raises:
        UserError: there is no such table of relatedness, in a file or shipped.
    """
    from crosstask.shipped_tables import find_relatedness

    try:
        sound(source, flag)
        find_relatedness(source)
    except DataError as error:
        raise UserError(f"{flag}: {error}") from error


def require_there(path: str, flag: str = "") -> None:
    """A file or a folder on this machine; what has another address is not looked for.

    Raises:
        UserError: there is none.
    """
    if "://" not in path and not sound(path, flag).exists():
        raise UserError(f"{flag} {path}: no such file or folder, and nothing matches it: check the path".lstrip())


def require_table(path: str, flag: str = "") -> Path:
    """
    Raises:
        UserError: there is no such file.
    """
    if not sound(path, flag).exists():
        raise UserError(f"{flag} {path}: cannot read the table (No such file or directory): check the path".lstrip())
    return Path(path)


def require_recipe(source: str, flag: str = "") -> None:
    """
    Raises:
        RecipeError: there is no such recipe, in a file or shipped.
    """
    from crosstask.recipe.shipped import find_recipe

    if not sound(source, flag).is_file():
        for name in source.split("+"):
            find_recipe(name)


def require_out(path: str, flag: str = "--out", folder: bool = False) -> Path:
    """Where something is to be written.

    Args:
        path: what was typed.
        flag: for messages.
        folder: whether a folder is to be written, not a file.

    Raises:
        UserError: a file stands where a folder has to be, or the other way round; a folder would have the name of a
            table; or nothing can be written there.
    """
    target = sound(path, flag)
    if target.exists() and target.is_dir() != folder:
        what, found = ("a folder", "a file") if folder else ("a file", "a folder")
        raise UserError(f"{flag} {path!r}: is {found}: give the path of {what}")
    above = next(each for each in (target, *target.absolute().parents) if each.exists())
    _require_writable(above.parent if above == target and not folder else above, f"{flag} {path!r}")
    if folder and target.suffix.lower() in TABLES and not target.exists():
        raise UserError(
            f"{flag} {path!r}: the name of a table, but a folder is written there: give the path of a folder"
        )
    return target


def require_table_out(path: str, flag: str = "--out") -> Path:
    """Where a table is to be written.

    Raises:
        UserError: see :func:`require_out`, or the ending is not that of a table.
    """
    target = require_out(path, flag)
    if target.suffix.lower() not in TABLES:
        found = repr(target.suffix) if target.suffix else "a name without an ending"
        raise UserError(f"{flag} {path!r}: {found} is no kind of table: give one of {', '.join(TABLES)}")
    return target


def require_free(path: Path, overwrite: bool) -> None:
    """
    Raises:
        UserError: there is something at ``path`` that may not be replaced; an empty folder is nothing.
    """
    if path.exists() and not overwrite and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: is there already: give another path, or --overwrite")


def _require_writable(folder: Path, what: str) -> None:
    """A file without a name is tried: permissions say little of root, of /proc and of what is mounted to be read."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{what}: cannot be written, {folder} is no folder that may be written to ({error.strerror}): give another"
        ) from None


def sound(path: str, flag: str = "") -> Path:
    """What was typed as a path that can be looked for.

    Raises:
        UserError: it can be none.
    """
    where = f"{flag} {path!r:.60}".strip()
    if not path or "\0" in path:
        raise UserError(f"{where}: is no path: give one")
    if len(path) > MOST or max(len(part.encode("utf-8", "surrogateescape")) for part in path.split("/")) > 255:
        raise UserError(f"{where}...: no path is {len(path):,} characters long: check what was typed")
    try:
        Path(path).exists()
    except OSError as error:
        raise UserError(f"{where}: {error.strerror}: check the path") from None
    return Path(path)
