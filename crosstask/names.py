"""Names that become parts of paths: of tasks, objectives, splits; checked where they come in."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

LONGEST = 80
MOST_BYTES = 150
"""Of the name of a file that is made from other text: endings and what the writer adds need room too."""
_NEVER = frozenset('/\\:*?"<>|;')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(\..*)?", re.IGNORECASE)


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
    known = isinstance(name, (str, int, float)) and not isinstance(name, bool)
    text = str(getattr(name, "text", name)) if known else ""  # of a number in YAML, as it was typed
    odd = not text.isprintable() or _NEVER.intersection(text) or text[:1] in (*" .-", "") or text[-1] in " ."
    if odd or len(text) > LONGEST or _DEVICES.fullmatch(text):
        raise ValueError(
            f"{where}: {name!r:.100} is no {what}: it becomes part of file names, so it has 1 to {LONGEST} characters, "
            f"none of {' '.join(sorted(_NEVER))}, and neither a dot nor a space at its ends"
        )
    return text


def file_part(text: str) -> str:
    """A name for a file or folder on any system, as near to ``text`` as can be.

    >>> file_part("a: 1?"), file_part("con"), file_part("end. "), len(file_part("x" * 999))
    ('a_ 1_', '_con', 'end', 150)
    """
    name = re.sub(r'[<>:"|?*\x00-\x1f\x7f]', "_", text).rstrip(" .") or "_"
    name = f"_{name}" if _DEVICES.fullmatch(name) else name
    whole = name.encode("utf-8", "surrogatepass")
    if len(whole) <= MOST_BYTES:
        return name
    told_apart = "-" + hashlib.sha256(whole).hexdigest()[:16]
    return whole[: MOST_BYTES - len(told_apart)].decode("utf-8", "ignore") + told_apart


def with_ending(path: Path, ending: str, others: Collection[str] = ()) -> Path:
    """``path`` with an ending, in place of one of ``others``; what follows another dot belongs to its name.

    >>> [with_ending(Path(name), ".pt2", [".onnx"]).name for name in ("net", "net.pt2", "net.onnx", "net.v1")]
    ['net.pt2', 'net.pt2', 'net.pt2', 'net.v1.pt2']
    """
    known = path.suffix in (ending, *others)
    return path.with_suffix(ending) if known else path.with_name(path.name + ending)


def alike(name: str) -> str:
    """A name as systems see it that tell neither upper from lower case nor ways to write an accent apart.

    >>> alike("Caf\u00e9") == alike("cafe\u0301")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def require_different(names: Iterable[str], where: str) -> None:
    """
    Raises:
        ValueError: two names are one to systems that do not tell upper from lower case.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(alike(name), name)
        if other != name:
            raise ValueError(f"{where}: {other!r} and {name!r} are one file name on some systems: rename one")
