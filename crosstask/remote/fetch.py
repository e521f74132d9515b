"""Files of URLs brought into the cache, with patience for servers that fail now and then."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

from crosstask.errors import DataError
from crosstask.remote import cache
from crosstask.remote.members import Member, member_of
from crosstask.remote.urls import folder, redacted, shown, url_of
from crosstask.writing import part_of

ATTEMPTS = 5
WAIT = 0.25
"""Seconds before the second attempt; twice as long before each further one."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FINAL = {
    "NoCredentialsError": "no credentials were found: give them as the store's own tools take them (AWS_ACCESS_KEY_ID, "
    "~/.aws, GOOGLE_APPLICATION_CREDENTIALS)",
    "PermissionError": "access is denied: check the credentials",
    "FileNotFoundError": "there is no such file: check the URL",
}


def present(path: Path, anew: bool = False) -> Path:
    """The path itself, after the file was fetched if it stands for a URL and is not in the cache.

    Of a member of a tar file (``s3://bucket/000003.tar/1536+20480/x.jpg``) no more than its own bytes are fetched.

    Args:
        path: a path, as of :func:`~crosstask.remote.urls.path_of`.
        anew: fetch it even if it is in the cache.

    What fails is tried five times, each time after twice as long a wait; what is not there or not allowed is not.

    Raises:
        DataError: it cannot be fetched: the URL, the cause and the remedy in one line, without credentials.
    """
    url = url_of(path)
    if url is None or (not anew and cache.used(path)):
        return path
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(url, path)
            return path
        except DataError:
            raise
        except Exception as error:  # every store has its own
            remedy = _final(error)
            if remedy is None and attempt < ATTEMPTS:
                time.sleep(WAIT * 2 ** (attempt - 1))
                continue
            tried = "" if remedy else f"{ATTEMPTS} times: "
            raise DataError(f"{shown(path)}: cannot be fetched: {tried}{explained(error)}") from None
    raise AssertionError


def _fetch(url: str, path: Path) -> None:
    member = member_of(url)
    system, name = store(url if member is None else f"{url.rpartition('.tar/')[0]}.tar")
    root = folder()
    try:
        cache.bound()
    except ValueError as error:
        raise DataError(str(error)) from None
    try:
        with part_of(root / path.name) as part:
            if member is None:
                system.get_file(name, str(part))
            else:
                part.write_bytes(_bytes_of(system, name, member))
            cache.admit(root, part, path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DataError(
            f"{root}: cannot be written ({error.strerror}): make room, or name another folder with CROSSTASK_CACHE"
        ) from None


def _bytes_of(system: Any, name: str, member: Member) -> bytes:
    content: bytes = system.cat_file(name, start=member.offset, end=member.offset + member.size)
    if len(content) != member.size:
        raise DataError(f"{redacted(name)} ends before byte {member.offset + member.size}: upload or pack it again")
    return content


def store(url: str) -> tuple[Any, str]:
    """The file system of a URL and the file's name in it."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise DataError(
            f"{redacted(url)}: what reads it is not installed ({_said(error)}): pip install 'crosstask[remote]' for "
            "s3 and http, gcsfs for gs"
        ) from None
    except ValueError as error:
        if "rotocol" not in str(error):
            raise
        raise DataError(f"{redacted(url)}: no kind of URL that is read ({_said(error)}): check the cell") from None


def explained(error: BaseException) -> str:
    """The cause and the remedy, in one line."""
    return _final(error) or f"{_said(error)}: check the network and the server"


def _final(error: BaseException) -> str | None:
    """What to do about an error that no further attempt mends; None for others."""
    status = getattr(error, "status", None)
    if status in (401, 403):
        return f"access is denied (HTTP {status}): check the credentials"
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 429):
        return f"HTTP {status}: check the URL"
    return next((_FINAL[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _FINAL), None)


def _said(error: BaseException) -> str:
    return redacted(" ".join(str(error).split())[:200]) or type(error).__name__
