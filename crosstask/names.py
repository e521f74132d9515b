"""Names that become parts of paths: of tasks, objectives, splits; checked where they come in."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 80
_NEVER = frozenset('/\\:*?"<>|;')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def require_name(name: object, where: str, what: str = "name") -> str:
    """``name``, which may be part of a path on any system.

    >>> require_name("surface normals", "tasks")
    'surface normals'

    Args:
        name: what was found; a number becomes text.
        where: the key, for messages.
        what: what is named.

    Raises:
        ValueError: it is blank, too long, leads elsewhere (``../x``) or holds what file names cannot.
    """
    text = str(name) if isinstance(name, (str, int, float)) and not isinstance(name, bool) else ""
    odd = not text.isprintable() or _NEVER.intersection(text) or text[:1] in (*" .-", "") or text[-1] in " ."
    if odd or len(text) > LONGEST or _DEVICES.fullmatch(text):
        raise ValueError(
            f"{where}: {name!r:.100} is no {what}: it becomes part of file names, so it has 1 to {LONGEST} characters, "
            f"none of {' '.join(sorted(_NEVER))}, and neither a dot nor a space at its ends"
        )
    return text


def require_different(names: Iterable[str], where: str) -> None:
    """
    Raises:
        ValueError: two names are one to systems that do not tell upper from lower case.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(f"{where}: {other!r} and {name!r} are one file name on some systems: rename one")
