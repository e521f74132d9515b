"""Words that spell no label: numbers with a unit, several in one, dates, and codes that only look like numbers."""

from __future__ import annotations

import re
from collections.abc import Collection

from crosstask.tasks.cells import number

_CODE = re.compile(r"0\d+")
_NEARLY_NUMBER = re.compile(r"[-+\u2212]?\d+([.,]\d+)?\s*(%|\u2030|\u00b0[CF]?)?")
_MEASURED = re.compile(
    r"[-+\u2212]?\d+([.,]\d+)?\s*"
    r"(y|yo|yrs?|years?|months?|days?|h|min|s|ms|kg|g|mg|lbs?|km|m|cm|mm|px|ml|l|\u20ac|\$|usd|eur)",
    re.IGNORECASE,
)
_LENSES = 10
"""More different numbers with a unit are measured; so many may be classes, lenses of 40 mm and 50 mm say."""
_SEVERAL_NUMBERS = re.compile(r"[-+]?\d+(\.\d+)?([\s,|]+[-+]?\d+(\.\d+)?)+")
_DATE = re.compile(r"(\d{4}([-.:])\d\d?\2\d\d?|\d\d?\.\d\d?\.\d{4})([T ].+)?")


def is_code(word: str) -> bool:
    """Whether digits are a name, 007 say: numbers are not written so."""
    return _CODE.fullmatch(word) is not None


def no_label(words: Collection[str]) -> str:
    """Why all of these words together are no names, though they are no numbers either; empty where they may be."""
    odd = sorted(word for word in words if number(word) is None and word != "-")
    if not odd:
        return ""
    for spelling, why in (
        (_NEARLY_NUMBER, "is no number: write a decimal point, a plain minus and no unit"),
        (_SEVERAL_NUMBERS, "is several numbers: join them by ';'"),
        (_DATE, "is a date"),
    ):
        if all(map(spelling.fullmatch, odd)):
            return f"{odd[0]!r} {why}"
    if len(odd) > _LENSES and all(map(_MEASURED.fullmatch, odd)):
        return f"{odd[0]!r} is a number with a unit: write the number alone"
    return ""
