"""Files that lie in a tar file, by where they lie: ``shards/000003.tar/1536+20480/00000012.image.jpg``.

Such a path is the tar's, then offset and size in bytes, then the name. A member is read without unpacking anything.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MEMBER = re.compile(r"(.*\.tar)/(\d{1,15})\+(\d{1,15})/([^/]+)", re.DOTALL)


class Member(NamedTuple):
    """Where a file lies: in which tar, and from which byte on how many."""

    tar: Path
    offset: int
    size: int


def is_member(cell: str) -> bool:
    """Whether a path is that of a member."""
    return _MEMBER.fullmatch(cell) is not None


def member_of(path: Path | str) -> Member | None:
    """The member a path stands for; None for other paths."""
    found = _MEMBER.fullmatch(os.fspath(path))
    return None if found is None else Member(Path(found[1]), int(found[2]), int(found[3]))


def cell_of(tar: str, offset: int, size: int, name: str) -> str:
    """The path of a member.

    >>> cell_of("000003.tar", 1536, 20480, "00000012.image.jpg")
    '000003.tar/1536+20480/00000012.image.jpg'
    """
    return f"{tar}/{offset}+{size}/{name}"


def source(path: Path) -> Path | BinaryIO:
    """What a decoder opens: the path itself, or the content of a member.

    Raises:
        OSError: the tar file cannot be read.
        ValueError: it is shorter than the member says.
    """
    member = member_of(path)
    if member is None:
        return path
    with open(member.tar, "rb") as file:
        if os.fstat(file.fileno()).st_size < member.offset + member.size:
            raise ValueError(f"{member.tar} ends before byte {member.offset + member.size}: copy or pack it again")
        file.seek(member.offset)
        return io.BytesIO(file.read(member.size))


def opened(path: Path) -> BinaryIO:
    """The open file of a path or a member; raises as :func:`source` does."""
    found = source(path)
    return open(found, "rb") if isinstance(found, Path) else found
