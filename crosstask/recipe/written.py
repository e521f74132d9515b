"""Recipes as they are written: files, patches and flags, laid over each other to plain values that nobody checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, UserError
from crosstask.names import require_name
from crosstask.reading import read_yaml
from crosstask.recipe.flags import pairs
from crosstask.recipe.shipped import SHIPPED, find_recipe, is_file
from crosstask.strict_yaml import parse_yaml

EXAMPLE = "--training.epochs 5"
SECTIONS = ("data", "tasks", "network", "objectives", "balancing", "training", "loggers", "refine")


@dataclass(frozen=True)
class Written:
    """A recipe as it is written.

    Attributes:
        values: its plain values, which nobody checked.
        files: the files that hold them and do not ship with the package, the one laid over the others first.
        flags: the dotted flags that hold the others.
    """

    values: dict[str, Any]
    files: tuple[tuple[Path, Mapping[str, Any]], ...]
    flags: tuple[str, ...]

    @contextmanager
    def named(self) -> Iterator[None]:
        """A context in which what is wrong with a key is said with the file in front that holds the key, where one
        does and no flag."""
        try:
            yield
        except RecipeError as error:
            found = re.match(r"[^\s:\[]+", str(error))
            path = None if found is None else self._holder(found[0].split("."))
            if path is None:
                raise
            raise RecipeError(f"{path}: {error}") from error

    def _holder(self, key: list[str]) -> Path | None:
        typed = [flag.split(".") for flag in self.flags]
        if any(flag[: len(key)] == key[: len(flag)] for flag in typed):
            return None
        return next((path for path, content in self.files if _holds(content, key)), None)


def written(source: str | Path, overrides: Sequence[str] = ()) -> Written:
    """A recipe file, or a shipped recipe, with patches joined to its name by ``+`` and then ``overrides`` laid over it.

    Raises:
        RecipeError: the file is missing or broken.
        UserError: a flag without a value, or a value that is not YAML.
    """
    names = [str(source)] if is_file(Path(source)) else str(source).split("+")
    files = [(path, _read(path)) for path in map(find_recipe, names)]
    values: dict[str, Any] = {}
    for _, content in files:
        values = merge(values, content)
    own = tuple((path, content) for path, content in reversed(files) if SHIPPED not in path.parents)
    flags = pairs(overrides, EXAMPLE)
    return Written(laid_over(values, _values(flags)), own, tuple(key for key, _ in flags))


def read_recipe(source: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain values of :func:`written`.

    Raises:
        RecipeError: the file is missing or broken.
        UserError: a flag without a value, or a value that is not YAML.
    """
    return written(source, overrides).values


def task_names(path: Path) -> list[str]:
    """The names of the tasks of a recipe file, of which nothing else is looked at.

    Raises:
        RecipeError: the file is missing or broken, or a name is no name.
    """
    tasks = options_of(_read(path), "tasks")
    return [entry_name(name, f"{path}: tasks.{name}", "name of a task") for name in tasks]


def parse_overrides(arguments: Sequence[str], base: Mapping[str, Any] = {}) -> dict[str, Any]:
    """``base`` with dotted flags laid over it in the order they were typed; values are read as YAML.

    >>> parse_overrides(["--training.epochs", "5", "--objectives=a,b", "--objectives.b.weight", "2"])
    {'training': {'epochs': 5}, 'objectives': {'a': {}, 'b': {'weight': 2}}}

    Raises:
        UserError: a flag without a value, a value without a flag, or a value that is not YAML.
    """
    return laid_over(base, _values(pairs(arguments, EXAMPLE)))


def laid_over(base: Mapping[str, Any], changes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """``base`` with values by dotted key laid over it in their order, each as :func:`merge` says.

    >>> laid_over({"balancing": {"kind": "fixed"}}, [("balancing.alpha", 1), ("balancing.kind", "gradnorm")])
    {'balancing': {'kind': 'gradnorm', 'alpha': 1}}
    """
    merged = dict(base)
    for key, value in (*changes, *changes):  # an option before its kind went with the kind that stood there
        patch = value
        for name in reversed(key.split(".")):
            patch = {name: patch}
        merged = merge(merged, patch)
    return merged


INSTEAD = {"lr": "lr_factor", "lr_factor": "lr"}
"""Options that say the same in two ways."""


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``patch`` laid over it, key by key.

    Objectives that a patch names (``a,b``) are all there are then, with the options they had; a patch that gives
    options (``{b: {weight: 2}}``) leaves the others. Where a patch names another ``kind``, the options of the one that
    stood there go with it; where it gives ``lr`` or ``lr_factor``, the other one.
    """
    merged = dict(base)
    for key, value in patch.items():
        had = merged.get(key)
        if key in INSTEAD and value is not None:
            merged.pop(INSTEAD[key], None)
        if key == "objectives" and isinstance(value, list) and not isinstance(had, Mapping):
            merged[key] = value  # names without options, of a balancer perhaps
        elif key == "objectives" and value is not None:
            known, named = by_name(had or {}), by_name(value)
            chosen = known if isinstance(value, Mapping) else {name: known.get(name) or {} for name in named}
            merged[key] = merge(chosen, named)
        elif isinstance(value, Mapping) and isinstance(had, Mapping) and not _other_kind(had, value):
            merged[key] = merge(had, value)
        else:
            merged[key] = value
    return merged


def options_of(raw: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """The options of a section, none where there is no such section.

    Raises:
        RecipeError: they are no mapping.
    """
    options = {} if raw.get(section) is None else raw[section]
    if not isinstance(options, Mapping):
        raise RecipeError(f"{section}: expected options (key: value), found {options!r:.80}")
    return options


def by_name(value: Any) -> Mapping[str, Any]:
    """Objectives and their options, from a mapping or from names.

    Raises:
        RecipeError: it is neither.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if isinstance(value, list):
        return {str(name): {} for name in value}
    raise RecipeError(f"objectives: expected names or a mapping of options, found {value!r}")


def entry_name(name: object, where: str, what: str) -> str:
    """``name``, where it can be that of a task or an objective.

    Raises:
        RecipeError: it cannot.
    """
    try:
        return require_name(name, where, what)
    except ValueError as error:
        raise RecipeError(str(error)) from None


def _other_kind(had: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return "kind" in had and value.get("kind", had["kind"]) != had["kind"]


def _holds(value: Any, key: list[str]) -> bool:
    for name in key:
        if not isinstance(value, Mapping):
            return value is not None
        if name not in value:
            return False
        value = value[name]
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except UserError as error:
        raise RecipeError(str(error)) from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: expected sections ({', '.join(SECTIONS)}), found {content!r:.80}")
    return content


def _values(flags: Sequence[tuple[str, str]]) -> list[tuple[str, Any]]:
    return [(key, _value(text, f"--{key}")) for key, text in flags]


def _value(text: str, flag: str) -> Any:
    try:
        return parse_yaml(text, flag.lstrip("-"))
    except ValueError as error:
        raise RecipeError(f"{flag}: cannot read the value {text!r:.80}: {error}; give it as in YAML") from error
