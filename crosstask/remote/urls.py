"""URLs as paths in the cache, and back; URLs as they may be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

FOLDER = "CROSSTASK_CACHE"
"""Environment variable that names the folder of the cache."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_MOST = 200  # bytes of a name that every file system takes
_MORE, _EMPTY = "%+", "%-"  # neither is an escape: a name that goes on in the next one, a name of no letters


def is_url(cell: str) -> bool:
    """Whether a cell is a URL (or several, chained by ``::``), not a path."""
    return _URL.match(cell) is not None


def folder() -> Path:
    """The folder of the cache: ``$CROSSTASK_CACHE``, or ``crosstask`` in the user's folder of caches."""
    named = os.environ.get(FOLDER) or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "crosstask"
    )
    return Path(os.path.abspath(named)) / "cells"


def path_of(url: str, beside: Path) -> Path:
    """Where the file of a URL is, once it is :func:`~crosstask.remote.fetch.present`: in the cache, or where
    ``file://`` says. The last file of a chain may be a path, relative to the folder ``beside``.

    >>> path_of("zip://rgb/a.png::data.zip", Path("/sets")).relative_to(folder()).as_posix()
    'zip%3A/%-/rgb/a.png%3A%3A/sets/data.zip/a.png'
    """
    *chain, last = url.split("::")
    if not is_url(last):
        last = os.path.abspath(os.path.join(beside, last))
    if not chain and last.startswith(("file://", "local://")):
        return Path(os.path.abspath(os.path.join(beside, unquote(last.partition("://")[2]))))
    whole = "::".join((*chain, last))
    parts: list[str] = []
    for part in whole.split("/"):
        name = quote(part, safe=" ,=@()").replace("~", "%7E") if part.strip(".") else part.replace(".", "%2E")
        pieces = [name[start : start + _MOST] for start in range(0, len(name), _MOST)] or [_EMPTY]
        parts += [piece + _MORE for piece in pieces[:-1]] + pieces[-1:]
    name = whole.split("::")[0].split("?")[0].rstrip("/").rpartition("/")[2]
    return folder().joinpath(*parts, quote(name, safe=" ,=@()")[-_MOST:] or "file")


def url_of(path: Path) -> str | None:
    """The URL that a path of the cache stands for; None for others."""
    if not os.fspath(path).startswith(str(folder())):  # as each file of a table is asked
        return None
    try:
        *parts, _ = path.relative_to(folder()).parts
    except ValueError:
        return None
    names, begun = [], ""
    for part in parts:
        if part.endswith(_MORE):
            begun += part.removesuffix(_MORE)
            continue
        names.append("" if part == _EMPTY else unquote(begun + part))
        begun = ""
    return "/".join(names)


def shown(path: Path | str) -> str:
    """A path, or the URL it stands for, without what is secret in it: passwords and queries."""
    text = url_of(Path(path)) or str(path)
    return redacted(text) if is_url(text) else text


def redacted(text: str) -> str:
    """A text in which no URL holds a name, a password or a query.

    >>> redacted("https://me:secret@host/a.png?X-Amz-Signature=12: 403")
    'https://...@host/a.png?...: 403'
    """
    text = re.sub(r"(://)[^/\s@]+@", r"\1...@", text)
    return re.sub(r"\?[^\s:'\")]+", "?...", text)
