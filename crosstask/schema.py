"""What the files of runs have to look like: JSON against the types of dataclasses; faults name key and value."""

from __future__ import annotations

import dataclasses
import math
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from crosstask.errors import UserError
from crosstask.reading import parse_json, read_text

WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def read_as(path: Path | str, hint: Any, remedy: str) -> Any:
    """The content of a JSON file as ``hint`` describes it, see :func:`conform`.

    Raises:
        UserError: the file is missing or broken, or not what it has to be; names file, key and value, ends in
            ``remedy``.
    """
    return parse_as(read_text(path), hint, str(path), remedy)


def parse_as(text: str, hint: Any, where: str, remedy: str) -> Any:
    """The content of a JSON text found at ``where`` as ``hint`` describes it.

    Raises:
        UserError: see :func:`read_as`.
    """
    try:
        return conform(parse_json(text, where, remedy), hint)
    except ValueError as error:
        raise UserError(f"{where}: {error}: {remedy}") from None


def conform(value: Any, hint: Any, where: str = "") -> Any:
    """``value``, plain values as from JSON, as the type ``hint``: dataclasses, lists, tuples, mappings and unions of
    these. In a dataclass, keys that newer versions may have are passed over; null as a float is NaN, text an infinity.

    >>> conform({"a": [1, 2]}, dict[str, list[int]])
    {'a': [1, 2]}
    >>> conform({"a": [1, "x"]}, dict[str, list[int]])
    Traceback (most recent call last):
    ValueError: a[1]: expected a whole number, found 'x'

    Raises:
        ValueError: the key, what was expected and what was found.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _of_union(value, arguments, where)
    if origin is Literal:
        return value if value in arguments else _fault(where, f"one of {', '.join(map(repr, arguments))}", value)
    if dataclasses.is_dataclass(hint):
        return _of_dataclass(value, hint, where)
    if origin is dict:
        if not isinstance(value, dict):
            _fault(where, "a mapping", value)
        return {key: conform(entry, arguments[1], _at(where, key)) for key, entry in value.items()}
    if origin is list:
        if not isinstance(value, list):
            _fault(where, "a list", value)
        return [conform(entry, arguments[0], f"{where}[{index}]") for index, entry in enumerate(value)]
    if origin is tuple:
        if not isinstance(value, list) or len(value) != len(arguments):
            _fault(where, f"a list of {len(arguments)}", value)
        pairs = zip(value, arguments, strict=True)
        return tuple(conform(entry, each, f"{where}[{index}]") for index, (entry, each) in enumerate(pairs))
    return _of_scalar(value, hint, where)


def _of_scalar(value: Any, hint: Any, where: str) -> Any:
    if hint is float:
        if value is None:
            return math.nan
        if value in ("inf", "-inf"):
            return float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2.0**1023:
            return float(value)
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
    elif isinstance(value, hint):
        return value
    return _fault(where, WORDS[hint], value)


def _of_union(value: Any, members: tuple[Any, ...], where: str) -> Any:
    faults = []
    for member in members:
        if member is float and value is None and type(None) in members:
            continue
        try:
            return conform(value, member, where)
        except ValueError as error:
            faults.append(error)
    raise faults[0]


def _of_dataclass(value: Any, cls: Any, where: str) -> Any:
    if not isinstance(value, dict):
        _fault(where, "a mapping", value)
    hints = get_type_hints(cls)
    given = {}
    for field in dataclasses.fields(cls):
        if field.name in value:
            given[field.name] = conform(value[field.name], hints[field.name], _at(where, field.name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{_at(where, field.name)}: missing")
    try:
        return cls(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}" if where else str(error)) from None


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else str(key)


def _fault(where: str, expected: str, value: Any) -> Any:
    raise ValueError(f"{where or 'the file'}: expected {expected}, found {value!r:.80}")
