"""Whether a file is still what it was, without reading it."""

from __future__ import annotations

from pathlib import Path

from crosstask.remote import url_of
from crosstask.remote.members import member_of


def stamp(path: Path) -> list[int] | None:
    """Size and time of change of a file, of its archive where it is in one; None where there is none to look at."""
    if url_of(path) is not None:
        return None  # in the cache today, gone tomorrow: it says nothing of the file itself
    member = member_of(path)
    try:
        status = (path if member is None else member.tar).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
