"""YAML as people mean it: keys stand once, ``no`` and ``007`` are text, numbers are finite, nothing grows large."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

MOST_CHARACTERS = 2**20
MOST_VALUES = 100_000
DEEPEST = 50

_NUMBER = "-+.0123456789"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Typed(float):
    """A number that remembers how it was written, for options that take text (``2.10`` is not ``2.1``)."""

    text: str


class _Loader(_Base):
    """YAML 1.2's plain scalars; a key that is there twice is refused, where YAML would let it overwrite the first."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # what PyYAML looks at

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in [] if hasattr(node, "unique") else node.value:  # merging lengthens nodes that were checked
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"line {key.start_mark.line + 1}: a key is a word, found a list or a mapping")
            if key.value in seen and key.value != "<<":
                raise ValueError(
                    f"key {key.value!r} is there twice (lines {seen[key.value]} and {key.start_mark.line + 1}): "
                    "remove one of them"
                )
            seen[key.value] = key.start_mark.line + 1
        node.unique = True  # type: ignore[attr-defined]
        super().flatten_mapping(node)
        if len(node.value) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values: write fewer references (*name)")

    def number(self, node: yaml.ScalarNode) -> float:
        plain = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if repr(plain) == node.value:
            return plain
        found = Typed(plain)
        found.text = node.value
        return found

    def integer(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > 4000:
            raise ValueError(f"line {node.start_mark.line + 1}: a number of {len(node.value)} digits")
        return int(node.value)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"-?(0|[1-9][0-9]*)", _NUMBER),
    ("float", r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", _NUMBER),
    ("merge", r"<<", "<"),
):  # fmt: skip
    _first_letters = [letter if letter != "\0" else "" for letter in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first_letters)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.integer)


class _Dumper(yaml.SafeDumper):
    """Quotes also the text that :class:`_Loader` alone takes for something else: ``1e5``."""


for _first_letter, _known in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _known:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first_letter])


def dump_yaml(value: Any, **options: Any) -> str:
    """Plain values as text that :func:`parse_yaml` reads back to the same.

    >>> dump_yaml({"1e5": "007", "lr": 0.5}).splitlines()
    ["'1e5': '007'", 'lr: 0.5']

    Args:
        options: as of ``yaml.dump``.
    """
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **options)


def parse_yaml(text: str, where: str = "") -> Any:
    """The plain values of a YAML text.

    Args:
        text: the text.
        where: the key at which the values will stand, for messages.

    Raises:
        ValueError: not YAML, a key that is there twice, a number that is not finite, or more than a person would write;
            one line.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters, more than the {MOST_CHARACTERS:,} a person would write")
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    except (RecursionError, OverflowError):
        raise ValueError("lists or mappings inside each other without end") from None
    require_plain(value, where)
    return value


def require_plain(value: Any, where: str = "") -> None:
    """Refuse what is no text, finite number, truth value, list or mapping of these.

    Raises:
        ValueError: the key, and what was found there.
    """
    count = 0

    def walk(value: Any, where: str, depth: int) -> None:
        nonlocal count
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            raise ValueError(f"{where or 'it'}: more than {MOST_VALUES:,} values, or {DEEPEST} inside each other")
        if isinstance(value, dict):
            for key, entry in value.items():
                if key is None or not isinstance(key, (str, int, float)):
                    raise ValueError(f"{where or 'it'}: a key is text or a number, found {key!r:.80}")
                walk(entry, f"{where}.{key}" if where else str(key), depth + 1)
        elif isinstance(value, (list, tuple)):
            for index, entry in enumerate(value):
                walk(entry, f"{where}[{index}]", depth + 1)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where or 'it'}: found {float(value)}: a number must be finite")
        elif isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(
                f"{where or 'it'}: found {_short(value)}: no number here is that large, give a smaller one"
            )
        elif value is not None and not isinstance(value, (str, int, float)):
            raise ValueError(f"{where or 'it'}: expected text, numbers, lists or mappings, found {value!r:.80}")

    walk(value, where, 0)


def _short(value: int) -> str:
    return f"a whole number of {value.bit_length()} bits"
