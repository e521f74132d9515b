"""Names of classes and tags, and what stands for them in a table."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crosstask.tasks.cells import number

SEPARATOR = ";"
MARKS = frozenset(
    ("unknown", "missing", "undefined", "unlabeled", "unlabelled", "not available", "not annotated", "no label", "n.a.",
     "n.a", "n/k", "tbd", "todo", "?", "??", ".", "--", "#value!", "#div/0!", "#ref!", "#name?", "#null!", "#num!")
)  # fmt: skip
"""Words that people write where there is no label, in lower case."""


def class_names(classes: int | Sequence[str], what: str = "classes") -> list[str]:
    """The names themselves, or "0", "1", ... for a number of classes.

    Raises:
        ValueError: there is none, a name is repeated, blank, or holds a separator.
    """
    if isinstance(classes, str):
        raise ValueError(f"{what} is {classes!r}: give a number or a list of names, [{classes}] say")
    names = [str(index) for index in range(classes)] if isinstance(classes, int) else [str(name) for name in classes]
    if not names:
        raise ValueError(f"{what} is {classes!r}: give at least one, as a number or a list of names")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{what} names {', '.join(repeated)} more than once: names must differ")
    for name in names:
        if not name.strip() or name != name.strip() or SEPARATOR in name or name[0] == "?" or name == "-":
            raise ValueError(
                f"{what} holds the name {name!r}: a name is not blank or '-', holds no '{SEPARATOR}', does not start "
                "with '?' and has no spaces around it"
            )
    return names


def are_positions(names: Sequence[str]) -> bool:
    """Whether names are those of a number of classes, "0", "1", ...: nobody gave any."""
    return list(names) == class_names(len(names)) if names else True


def index_of(value: Any, names: Sequence[str], what: str) -> int:
    """Index of the class that ``value`` names, or whose position it is.

    A number is a position, unless any of the names is a number: then it is a name, and never a position. 3.0 is 3.
    True and False are the names "true" and "false" in any case, or the second and the first of two classes.

    Raises:
        ValueError: neither.
    """
    text = value.strip() if isinstance(value, str) else str(value)
    if text in names:
        return list(names).index(text)
    composed = [index for index, name in enumerate(names) if _composed(name) == _composed(text)]
    if len(composed) == 1:  # accents as characters of their own
        return composed[0]
    if text.lower() in ("true", "false"):
        alike = [index for index, name in enumerate(names) if name.lower() == text.lower()]
        if len(alike) == 1:
            return alike[0]
        if len(names) == 2:
            return int(text.lower() == "true")
        raise ValueError(f"{what} {text} is a truth value, but there are {len(names)} ({_shown(names)}): name one")
    given = number(value)
    if given is None or given != given:
        raise ValueError(
            f"{what} {text!r} is not one of the {len(names)} ({_shown(names)}): {_remedy(text, names, what)}"
        )
    numeric = named_by_numbers(names)
    if numeric:
        alike = [index for index, name in numeric.items() if name == given]
        if len(alike) == 1:
            return alike[0]
        raise ValueError(
            f"{what} {text!r} is not one of the {len(names)} ({_shown(names)}), whose names are numbers: correct the "
            f"cell, add the name, or set unknown: [{text}] if it stands for no label"
        )
    if math.isfinite(given) and given == int(given) and 0 <= given < len(names):
        return int(given)
    raise ValueError(
        f"{what} {text!r} is not one of the {len(names)} ({_shown(names)}; by position 0 to {len(names) - 1}): correct "
        f"the cell, add the name, or set unknown: [{text}] if it stands for no label"
    )


def named_by_numbers(names: Sequence[str]) -> dict[int, float]:
    """The names that are numbers, by index."""
    found = {index: number(name) for index, name in enumerate(names) if name.lower() not in ("true", "false")}
    return {index: value for index, value in found.items() if value is not None and value == value}


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _remedy(text: str, names: Sequence[str], what: str) -> str:
    alike = [name for name in names if name.lower().replace(" ", "_") == text.lower().replace(" ", "_")]
    if alike:
        return f"did you mean {alike[0]!r}?"
    several = next((mark for mark in ",|/+ " if mark in text and {p.strip() for p in text.split(mark)} <= {*names}), "")
    if several and what == "tag":
        return f"join several by {SEPARATOR!r}, not by {several!r}"
    if what == "tag" and text.lower() in ("none", "no tags", "nothing"):
        return "write '-' for an image that is known to have no tag"
    if text.lower() in MARKS:
        return f"set unknown: ['{text}'] if it stands for no label"
    return "correct the cell or add the name"
