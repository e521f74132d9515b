"""What the cell of a table says: a text, or a value of JSON or Parquet that stays what it is."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

from typing_extensions import override

BLANKS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
     "NULL", "NaN", "NaT", "None", "n/a", "nan", "null")
)  # fmt: skip
"""Texts that mean "no label", as pandas reads and writes them, unless a class is called so."""

_NUMBERS = re.compile(r"\[[-+\d.eEnaifNAIF\s]+\]")


class Typed(str):
    """The text of a cell whose value is no text: a number, a boolean, a list, a mapping.

    As text it can be written to any table; ``value`` is what was read.
    """

    value: Any

    @override
    def __new__(cls, value: Any) -> Typed:
        cell = super().__new__(cls, _text(value))
        cell.value = value
        return cell

    def __getnewargs__(self) -> tuple[Any]:
        return (self.value,)


def typed(value: Any) -> str:
    """A value of JSON or Parquet as a cell: null and NaN are blank.

    Raises:
        ValueError: a value that no cell holds, bytes say.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = float(value)
    _check(value)
    return Typed(_without_nan(value))


def from_text(text: str) -> str:
    """The text of a cell; a list or a mapping in it (as JSON, Python or NumPy write them) is read."""
    text = text.strip()
    if text[:1] + text[-1:] not in ("[]", "{}"):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            _check(value)
            return Typed(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    if _NUMBERS.fullmatch(text):  # [1 0 1], as NumPy prints an array
        try:
            return Typed([float(part) for part in text[1:-1].split()])
        except ValueError:
            pass
    return text


def value_of(cell: Any) -> Any:
    """What a cell says: the value of a :class:`Typed` one, otherwise the cell itself."""
    return cell.value if isinstance(cell, Typed) else cell


def number(value: Any) -> float | None:
    """The number that a value is or that a text spells, booleans too; NaN for blanks, None for anything else."""
    if value is None or (isinstance(value, str) and value.strip() in BLANKS):
        return math.nan
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return float(value.strip().lower() == "true")
    try:
        return None if "_" in str(value) else float(value)
    except (TypeError, ValueError):
        return None


def is_blank(cell: Any, names: list[str]) -> bool:
    """Whether a cell says nothing, given the ``names`` it might hold instead."""
    if isinstance(cell, Typed) or not isinstance(cell, str):
        return False
    return cell.strip() in BLANKS and cell.strip() not in names


def _is_name(text: str) -> bool:
    """Whether a text is the same name in a list joined by ``;``."""
    return text == text.strip() and ";" not in text and text != "-" and text[:1] != "?" and number(text) is None


def _without_nan(value: Any) -> Any:
    """A value with null in place of NaN, which JSON has not."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"a mapping with the key {key!r}: keys are names")
            _check(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item)
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        raise ValueError(f"a {type(value).__name__}: cells are text, numbers, booleans, lists of these, or null")


def _text(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(part, str) and _is_name(part) for part in value):
        return ";".join(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return repr(value)


class Marks:
    """Values of a table that stand for something else than themselves: "unknown", "absent".

    Numbers agree however they are written (-1, -1.0, "-1"), texts where they are equal.
    """

    def __init__(self, values: Sequence[float | str] = ()) -> None:
        self.values = list(values)
        self._known = {_canonical(value) for value in values}

    def __contains__(self, value: Any) -> bool:
        return not isinstance(value, (list, tuple, dict, bool)) and _canonical(value) in self._known

    def __bool__(self) -> bool:
        return bool(self.values)


def require_distinct(option: str, values: Sequence[float | str]) -> None:
    """
    Raises:
        ValueError: a value is there twice; the message begins with the option.
    """
    seen: set[Any] = set()
    for value in values:
        if _canonical(value) in seen:
            raise ValueError(f"{option} lists {value!r} twice: give each value once")
        seen.add(_canonical(value))


def _canonical(value: Any) -> Any:
    known = None if isinstance(value, str) and value.strip().lower() in ("true", "false") else number(value)
    return str(value).strip() if known is None or known != known else known
