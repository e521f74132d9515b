"""The tables of relatedness that ship with the package: found, not read, so that nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

from crosstask.errors import DataError, nearest

TABLES = Path(__file__).parent / "relatedness" / "tables"


def shipped_tables() -> list[str]:
    """Names of the tables of relatedness that ship with the package."""
    return sorted(path.stem for path in TABLES.glob("*.csv"))


def find_relatedness(source: str | Path) -> Path:
    """The table of relatedness in a file, or the shipped one of that name.

    Raises:
        DataError: there is none.
    """
    for path in (Path(source), TABLES / f"{source}.csv"):
        if path.is_file():
            return path
    raise DataError(
        f"there is no table of relatedness {str(source)!r}: give a CSV or YAML file, or a shipped one; "
        f"{nearest(str(source), shipped_tables())}"
    )
