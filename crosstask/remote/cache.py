"""A folder of files that never holds more than so many bytes: those not used for longest go first.

Several processes may use one. How much there is stands in a file that is locked while it changes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two processes may each let in a file too many
    fcntl = None  # type: ignore[assignment]

BOUND = "CROSSTASK_CACHE_GB"
"""Environment variable: how large the cache may be."""
_DEFAULT = 20.0
_ROOM = 0.9
GRACE = 10.0
"""Seconds in which a file that was used is not removed: somebody is about to open it."""


def bound() -> int:
    """Bytes the cache may hold.

    Raises:
        ValueError: the environment variable holds no positive number.
    """
    text = os.environ.get(BOUND, "") or str(_DEFAULT)
    try:
        size = float(text)
    except ValueError:
        size = float("nan")
    if not 0 < size < float("inf"):
        raise ValueError(f"{BOUND} is {text!r:.40}: give a positive number of gigabytes, 20 say")
    return int(size * 1e9)


def admit(root: Path, part: Path, path: Path) -> None:
    """Move a finished file ``part`` to ``path`` below ``root``; others go for it where there is no room."""
    size, most = part.stat().st_size, bound()
    with _locked(root) as counter:
        text = os.pread(counter, 64, 0)
        total = int(text) if text.isdigit() else _total(root)
        total -= path.stat().st_size if path.exists() else 0
        if total + size > most:
            total = _evict(root, int(most * _ROOM) - size)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, path)
        os.utime(path)
        os.ftruncate(counter, 0)
        os.pwrite(counter, str(total + size).encode(), 0)


def used(path: Path) -> bool:
    """Mark a file as used now; False where it is not there (any more)."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def _files(root: Path) -> Iterator[os.DirEntry[str]]:
    folders = [str(root)]
    while folders:
        with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.name.startswith("."):
                    yield entry


def _total(root: Path) -> int:
    return sum(entry.stat().st_size for entry in _files(root))


def _evict(root: Path, room: int) -> int:
    """Remove files until ``room`` bytes are left at most; says how many are."""
    found = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in _files(root))
    total, now = sum(size for _, size, _ in found), time.time()
    for changed, size, path in found:
        if total <= max(room, 0) or now - changed < GRACE:
            break
        with suppress(FileNotFoundError):
            os.unlink(path)
        total -= size
        with suppress(OSError):  # not empty
            os.removedirs(os.path.dirname(path))
    root.mkdir(parents=True, exist_ok=True)
    return total


@contextmanager
def _locked(root: Path) -> Iterator[int]:
    root.mkdir(parents=True, exist_ok=True)
    counter = os.open(root.with_name("." + root.name + ".bytes"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(counter, fcntl.LOCK_EX)
        yield counter
    finally:
        if fcntl is not None:
            fcntl.flock(counter, fcntl.LOCK_UN)  # of a process forked meanwhile, too
        os.close(counter)
