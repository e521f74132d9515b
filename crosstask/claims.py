"""One process at a time: a lock that ends with whoever holds it, however they end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

_ours: set[Path] = set()


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Whether this is the only one at work on what ``file`` stands for, which then remains so within the context.

    The file is there while it is claimed; one that a killed process left claims nothing.
    """
    key = file.absolute()
    if fcntl is None:
        yield True
        return
    held = None if key in _ours else _claim(file)
    if held is None:
        yield False
        return
    _ours.add(key)
    try:
        yield True
    finally:
        _ours.discard(key)
        file.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def in_turn(file: Path, seconds: float = 60.0) -> Iterator[None]:
    """A context that several processes enter one after the other; for what takes a moment.

    Raises:
        TimeoutError: another one stayed within it for so long.
    """
    ends = time.monotonic() + seconds
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with claimed(file) as mine:
            if mine:
                yield
                return
        if time.monotonic() > ends:
            raise TimeoutError(f"{file} is held by another process for {seconds:g} seconds: end it")
        time.sleep(0.02)


def is_claimed(file: Path) -> bool:
    """Whether anybody is at work on what ``file`` stands for; nothing is claimed or removed."""
    if fcntl is None or file.absolute() in _ours:
        return fcntl is not None
    try:
        held = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(held)
    return False


def _claim(file: Path) -> int | None:
    while True:
        held = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            # of POSIX, which belongs to the process: workers forked off it do not keep it when it is killed
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return None
        if _same(file, held):
            return held
        os.close(held)  # whoever had it let go of it and removed it in between


def _same(file: Path, held: int) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(held))
    except FileNotFoundError:
        return False
