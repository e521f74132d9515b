"""Names of classes and tags, and the text that stands for them in a table."""

from __future__ import annotations

from collections.abc import Sequence

SEPARATOR = ";"


def class_names(classes: int | Sequence[str], what: str = "classes") -> list[str]:
    """The names themselves, or "0", "1", ... for a number of classes.

    Raises:
        ValueError: there is none, a name is repeated, blank, or holds a separator.
    """
    names = [str(index) for index in range(classes)] if isinstance(classes, int) else [str(name) for name in classes]
    if not names:
        raise ValueError(f"{what} is {classes!r}: give at least one, as a number or a list of names")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} names {', '.join(repeated)} more than once: names must differ")
    for name in names:
        if not name.strip() or name != name.strip() or SEPARATOR in name or name[0] == "?" or name == "-":
            raise ValueError(
                f"{what} holds the name {name!r}: a name is not blank or '-', holds no '{SEPARATOR}', does not start "
                "with '?' and has no spaces around it"
            )
    return names


def index_of(text: str, names: Sequence[str], what: str) -> int:
    """Index of a name, or of the text of an index; names come first.

    Raises:
        ValueError: neither.
    """
    text = text.strip()
    if text in names:
        return list(names).index(text)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise ValueError(f"{what} {text!r} is not one of the {len(names)} ({shown}): correct the cell or add the name")
