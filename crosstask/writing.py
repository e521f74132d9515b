"""The one way files come to be: whole, or not at all.

A file is written beside its place under another name and then renamed. While it is written, its writer holds a lock on
it; a part that nobody holds was left by a process that was killed, and is removed the next time anything is written to
the same folder. What exists is therefore complete, and nothing has to be told apart by looking into it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PART = re.compile(r"\..+\.[0-9a-f]{12}\.part(\.\w+)?")
_swept: set[tuple[int, Path]] = set()
_sweeping = threading.Lock()


def write(path: Path | str, content: bytes | str, durable: bool = True) -> None:
    """Replace the file ``path`` by ``content`` (text in UTF-8), or leave it as it was; folders are made.

    Args:
        durable: whether it is on the disk, not only in the system's memory, when this returns.

    Raises:
        OSError: it cannot be written.
    """
    with whole(path, durable) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path | str, durable: bool = False) -> Iterator[Path]:
    """A path to write to, of the same ending, that becomes ``path`` at the end of the context; nothing stays of it
    where the context is left by an exception.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(path)
    part, held = _begin(path, folder=False)
    try:
        yield part
        if durable:
            os.fsync(held)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(held)


@contextmanager
def part_of(path: Path | str) -> Iterator[Path]:
    """A path beside ``path`` to write to, for whoever moves it to its place himself; nothing else stays of it.

    Raises:
        OSError: it cannot be written.
    """
    part, held = _begin(Path(path), folder=False)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """A new folder to write files into that becomes ``path``, with all of them on the disk, at the end of the context;
    nothing stays of it where the context is left by an exception. Nothing may be at ``path`` yet.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(path)
    part, held = _begin(path, folder=True)
    try:
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(held)


def is_part(name: str) -> bool:
    """Whether a file or folder of this name is one that is being written, or was left by a killed process."""
    return _PART.fullmatch(name) is not None


def sweep(folder: Path, again: bool = False) -> None:
    """Remove from ``folder`` what killed processes left there; once per process and folder unless ``again``. Not on
    Windows."""
    with _sweeping:  # this process holds what its other threads write: they begin when the folder is swept
        key = os.getpid(), folder.absolute()
        if (key in _swept and not again) or fcntl is None or not folder.is_dir():
            return
        _swept.add(key)
        with os.scandir(folder) as entries:
            parts = [folder / entry.name for entry in entries if is_part(entry.name)]
        for part in parts:
            with suppress(OSError):
                _remove(part)


def _begin(path: Path, folder: bool) -> tuple[Path, int]:
    """A new part of ``path`` and the descriptor that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    while True:
        part = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.part{path.suffix}")
        if folder:
            part.mkdir()
        held = os.open(part, os.O_RDONLY if folder else os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if _lock(held) and part.exists():  # no other process swept it before it was held
            return part, held
        os.close(held)


def _remove(part: Path) -> None:
    """Remove a part unless a process is writing it."""
    held = os.open(part, os.O_RDONLY)
    try:
        if _lock(held):
            shutil.rmtree(part) if part.is_dir() else part.unlink()
    finally:
        os.close(held)


def _lock(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
