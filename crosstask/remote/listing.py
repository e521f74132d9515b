"""What there is below a URL."""

from __future__ import annotations

from crosstask.errors import DataError
from crosstask.remote.fetch import explained, store
from crosstask.remote.urls import redacted


def list_files(root: str, pattern: str) -> list[str]:
    """The files below a URL that match a pattern (``rgb/*.jpg``), relative to it, sorted.

    Raises:
        DataError: it cannot be listed; one line.
    """
    system, folder = store(root)
    folder = folder.rstrip("/")
    try:
        found = system.glob(f"{folder}/{pattern}", detail=True)
    except Exception as error:  # every store has its own
        raise DataError(f"{redacted(root)}: cannot be listed: {explained(error)}") from None
    start = len(system._strip_protocol(folder).rstrip("/")) + 1 if folder else 0
    return sorted(name[start:] for name, entry in found.items() if entry["type"] == "file")
