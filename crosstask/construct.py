"""From the options of a recipe to an object: the signature of a class says which options there are."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from jsonargparse import ArgumentError, ArgumentParser, set_dumper

from crosstask.errors import DataError, RecipeError, nearest
from crosstask.ranges import check_range
from crosstask.strict_yaml import dump_yaml, parse_yaml, require_plain
from crosstask.typed import as_typed, hints_of, plain

T = TypeVar("T")


def signature_options(cls: type, provided: Mapping[str, Any] = {}) -> dict[str, inspect.Parameter]:
    """The options a recipe may give for ``cls``: its constructor's parameters without those ``provided`` by code."""
    constructor: Any = cls.__init__  # type: ignore[misc]
    if constructor is object.__init__:
        parameters = list(inspect.signature(cls).parameters.items())
    else:  # of a class that inherits it, signature(cls) is that of an inherited __new__, up to Python 3.11.2 at least
        parameters = list(inspect.signature(constructor).parameters.items())[1:]
    return {name: parameter for name, parameter in parameters if name not in provided}


def construct(cls: type[T], options: Mapping[str, Any] | None, where: str, **provided: Any) -> T:
    """An instance of ``cls`` from the ``options`` found at ``where`` in a recipe; ``provided`` come from code.

    Raises:
        RecipeError: an unknown key, a wrong type, a missing or invalid value; one line that names the key.
    """
    return build(cls, resolve(cls, options, where, provided), where, provided)


def resolve(
    cls: type,
    options: Mapping[str, Any] | None,
    where: str,
    provided: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """``options`` validated against the signature of ``cls``, with every default filled in, as plain values.

    Raises:
        RecipeError: an unknown key, a wrong type or a missing value.
    """
    parser = _parser(cls, frozenset(provided))
    values = _parse(parser, cls, options, where, provided)
    return parser.dump_dict(values) | _free(cls, options or {})


def build(cls: type[T], resolved: Mapping[str, Any], where: str, provided: Mapping[str, Any]) -> T:
    """The instance for options that were resolved."""
    parser = _parser(cls, frozenset(provided))  # type: ignore[arg-type]  # classes are hashable
    values = _parse(parser, cls, resolved, where, provided)
    try:
        return cls(**{**provided, **parser.instantiate(values).as_dict(), **_free(cls, resolved)})
    except RecipeError as error:
        raise RecipeError(_at(where, str(error))) from error
    except DataError as error:
        raise DataError(_named(cls, where, str(error))) from error
    except (ValueError, TypeError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise RecipeError(_named(cls, where, text)) from error
    except (RuntimeError, ArithmeticError, LookupError) as error:  # what libraries say of sizes they cannot make
        text = " ".join(str(error).split())[:200]
        given = ", ".join(f"{key}: {value}" for key, value in resolved.items() if key in signature_options(cls))
        raise RecipeError(
            f"{where}: cannot be made ({type(error).__name__}: {text}): give other options, smaller ones where memory "
            f"is short; they are {given[:300]}"
        ) from error


def _at(where: str, message: str) -> str:
    """The message of an object that names its key by its kind, with the key of the recipe.

    >>> _at("objectives.mine", "objectives.supervised.only: there is no task 'dept'")
    "objectives.mine.only: there is no task 'dept'"
    """
    section = re.escape(where.partition(".")[0])
    found = re.match(rf"{section}\.\w+(?=[.:])", message) if "." in where else None
    return f"{where}{message[found.end() :]}" if found else message


def _named(cls: type, where: str, message: str) -> str:
    """The message of a constructor with the key: that of the option which it begins with, or that of the object."""
    if message.startswith(where):
        return message
    option = re.match(r"\w+", message)
    return f"{where}{'.' if option and option[0] in signature_options(cls) else ': '}{message}"


set_dumper("strict_yaml", dump_yaml)


class _Parser(ArgumentParser):
    def dump_dict(self, values: Any) -> dict[str, Any]:
        text = self.dump(values, skip_unset=False, skip_validation=True, format="strict_yaml")
        return plain(parse_yaml(text)) or {}


@cache
def _parser(cls: type, provided: frozenset[str]) -> _Parser:
    parser = _Parser(exit_on_error=False)
    parser.add_class_arguments(cls, skip=set(provided), fail_untyped=True)
    return parser


def _parse(
    parser: _Parser, cls: type, options: Mapping[str, Any] | None, where: str, provided: Mapping[str, Any]
) -> Any:
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise RecipeError(f"{where}: expected options (key: value), found {options!r}")
    valid = signature_options(cls, provided)
    for key, value in options.items():
        if key not in valid:
            raise RecipeError(f"{where}.{key}: no such option (found {value!r}); {nearest(str(key), valid)}")
        if value is None and not _takes_null(cls, key, valid[key]):  # the parser takes null for any option
            raise RecipeError(f"{where}.{key}: found null, which it cannot be: give a value, or leave the key out")
    for name, parameter in valid.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            raise RecipeError(f"{where}.{name}: missing; it has no default, add it to the recipe")
    typed = _typed(cls, options, where)
    try:
        return parser.parse_object(typed)
    except (ArgumentError, TypeError, ValueError, OverflowError) as error:
        raise RecipeError(_one_line(str(error), where, options)) from error


def _typed(cls: type, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy of the options, with values of the types they have; those of nested objects validated."""
    hints, ranges = hints_of(cls), hints_of(cls, ranges=True)
    try:
        require_plain(options, where)
        typed = {key: as_typed(value, hints.get(key, Any), f"{where}.{key}", _nested) for key, value in options.items()}
        for key, value in typed.items():
            check_range(value, ranges.get(key), f"{where}.{key}")
        return typed
    except ValueError as error:
        raise RecipeError(str(error)) from None


def _nested(cls: type, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """As :func:`resolve`, and made once, so that what the constructor refuses is named with the whole key."""
    values = resolve(cls, options, where)
    build(cls, values, where, {})
    return values


def _free(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """The mappings of anything among the options, as they are: the parser would read text in them as YAML."""
    free = [key for key, hint in hints_of(cls).items() if "typing.Any" in str(hint)]
    return {key: plain(options[key]) for key in free if isinstance(options.get(key), Mapping)}


def _takes_null(cls: type, name: str, parameter: inspect.Parameter) -> bool:
    if parameter.default is None:
        return True
    hint = hints_of(cls).get(name, Any)
    return hint is Any or type(None) in get_args(hint)


def _one_line(message: str, where: str, options: Mapping[str, Any]) -> str:
    """jsonargparse explains over many lines; keep the key, the value and what was expected."""
    key = next((name for name in options if re.search(rf'key "{re.escape(str(name))}["\\.]', message)), None)
    if key is None:
        return f"{where}: {' '.join(message.split())[:240]}"
    kinds = dict.fromkeys(re.findall(r"Expected an? (.+?)(?:\. Got|\n|$)", message))
    expected = " or ".join(_plain_type(kind) for kind in kinds) or " ".join(message.split())[:160]
    return f"{where}.{key}: expected {expected}, found {options[key]!r}"


def _plain_type(kind: str) -> str:
    if literal := re.fullmatch(r"typing\.Literal\[(.+)\]", kind):
        return f"one of {literal[1]}"
    name = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", kind)
    return {
        "NoneType": "null",
        "str": "text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
    }.get(name, name)


def import_class(path: str, where: str, base: type = object) -> type:
    """The class a recipe names by ``class_path``; importing it runs code.

    Raises:
        RecipeError: it cannot be imported, or is no ``base``.
    """
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RecipeError(f"{where}.class_path: cannot import {path!r} ({reason}): correct it") from error
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        what = f"{base.__module__}.{base.__qualname__}"
        raise RecipeError(f"{where}.class_path: {path!r} is no class made from {what}: name one that is")
    return cls


def look_up(
    registry: Mapping[str, type[T]], options: Mapping[str, Any], where: str, trust: bool = False, base: type = object
) -> tuple[type[T], dict[str, Any]]:
    """The class for ``options``: the registry's entry named by ``kind``, or a user's own by ``class_path``.

    Args:
        registry: classes by name.
        options: what the recipe says.
        where: at which key.
        trust: whether code that ``class_path`` names may run.
        base: what a user's own class is made from.

    Returns:
        The class and the options left for its constructor.

    Raises:
        RecipeError: neither is given, the name is not registered, or code is named that may not run.
    """
    rest = dict(options)
    if "class_path" in rest:
        path = rest.pop("class_path")
        arguments = rest.pop("init_args", None) or {}
        if not trust:
            raise RecipeError(
                f"{where}.class_path: {path!r:.200} names code, which runs only for recipes that you trust: read it, "
                "then add --trust (in Python trust=True)"
            )
        if rest:
            raise RecipeError(f"{where}.{next(iter(rest))}: no key beside class_path: options stand under init_args")
        if not isinstance(arguments, Mapping):
            raise RecipeError(f"{where}.init_args: expected options (key: value), found {arguments!r:.80}")
        return import_class(str(path), where, base), dict(arguments)
    if "kind" not in rest:
        raise RecipeError(f"{where}.kind: missing; valid: {', '.join(sorted(registry))}")
    name = rest.pop("kind")
    if not isinstance(name, str) or name not in registry:
        raise RecipeError(f"{where}.kind: there is no {name!r:.80}; {nearest(str(name), registry)}")
    return registry[name], rest
