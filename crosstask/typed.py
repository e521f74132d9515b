"""What was written, as the type an option has: a number becomes text where text is meant, exactly as it was typed."""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from crosstask.strict_yaml import Typed

Nested = Callable[[type, Mapping[str, Any], str], Any]
"""(class, its options, where they stand) -> the options as the class takes them."""


def as_typed(value: Any, hint: Any, where: str, nested: Nested) -> Any:
    """``value`` with numbers and truth values as text where ``hint`` takes text and no such value.

    >>> as_typed(32, Literal["32", "bf16"], "precision", dict), as_typed([0, "a"], int | list[str], "classes", dict)
    ('32', ['0', 'a'])

    What does not fit the hint stays as it is, for the parser to refuse: all but text in place of the options of a
    class, which the parser would take for the name of code to import.

    Args:
        value: a plain value.
        hint: the type of the option.
        where: the key, for messages.
        nested: reads the options of a class.

    Raises:
        ValueError: text that is no finite number where one is meant, or something else than options; names the key.
    """
    if get_origin(hint) in (Union, types.UnionType):
        return _of_union(value, get_args(hint), where, nested)
    if hint is str:
        return _text(value)
    if get_origin(hint) is Literal:
        options = get_args(hint)
        return _text(value) if value not in options and _text(value) in options else plain(value)
    if hint in (int, float) and isinstance(value, str):
        return _number(value, hint, where)
    if is_options(hint):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected options (key: value), found {value!r:.80}")
        return nested(hint, value, where)
    if isinstance(value, Mapping) and len(get_args(hint)) == 2:
        key, entry = get_args(hint)
        return {
            as_typed(name, key, where, nested): as_typed(each, entry, f"{where}.{name}", nested)
            for name, each in value.items()
        }
    if isinstance(value, (list, tuple)) and get_args(hint):
        hints = get_args(hint)
        each = list(hints) if get_origin(hint) is tuple and hints[-1] is not ... else [hints[0]] * len(value)
        each += [Any] * (len(value) - len(each))
        return [
            as_typed(entry, inner, f"{where}[{index}]", nested)
            for index, (entry, inner) in enumerate(zip(value, each, strict=False))
        ]
    return plain(value)


def plain(value: Any) -> Any:
    """``value`` without what numbers remember of how they were written."""
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return float(value) if isinstance(value, Typed) else value


def hints_of(cls: type, ranges: bool = False) -> dict[str, Any]:
    """The types of the constructor's parameters, with the ranges of their numbers on demand; none where some are known
    to type checkers only."""
    try:
        return get_type_hints(cls.__init__, include_extras=ranges)  # type: ignore[misc]
    except NameError:
        return {}


def is_options(hint: Any) -> bool:
    """Whether an option is itself an object with options."""
    return inspect.isclass(hint) and (dataclasses.is_dataclass(hint) or hint.__module__.startswith("crosstask."))


def _of_union(value: Any, members: tuple[Any, ...], where: str, nested: Nested) -> Any:
    fitting = [member for member in members if _fits(value, member)]
    if value is None or fitting:
        return value if value is None else as_typed(value, fitting[0], where, nested)
    scalars = [member for member in members if member is str or get_origin(member) is Literal]
    if not scalars:
        scalars = [member for member in members if is_options(member) or member in (int, float)]
    return as_typed(value, scalars[0], where, nested) if scalars else plain(value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has the outer form of a type."""
    if isinstance(value, bool):
        return hint is bool
    if isinstance(value, (int, float)):
        return hint is float or (hint is int and isinstance(value, int))
    if isinstance(value, str):
        return hint is str or (get_origin(hint) is Literal and value in get_args(hint))
    if isinstance(value, Mapping):
        return len(get_args(hint)) == 2 or is_options(hint)
    return get_origin(hint) is not None and get_origin(hint) is not Literal


def _text(value: Any) -> Any:
    if isinstance(value, Typed):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _number(text: str, kind: type, where: str) -> int | float:
    try:
        number = kind(text)
    except (ValueError, OverflowError):
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{where}: expected {what}, found {text!r:.80}") from None
    if kind is float and not math.isfinite(number):  # float takes words for these
        raise ValueError(f"{where}: found {text:.80}: a number must be finite")
    return number
