"""Recipes as they are written: files, patches and flags, laid over each other to plain values that nobody checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, UserError
from crosstask.names import require_name
from crosstask.reading import read_text
from crosstask.recipe.flags import pairs
from crosstask.recipe.shipped import find_recipe
from crosstask.strict_yaml import parse_yaml

SECTIONS = ("data", "tasks", "network", "objectives", "balancing", "training", "loggers", "refine")


def read_recipe(source: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain values of a recipe file, or of a shipped recipe, with patches joined to its name by ``+`` and then
    ``overrides`` laid over them; not validated.

    Raises:
        RecipeError: the file is missing or broken.
        UserError: a flag without a value, or a value that is not YAML.
    """
    content: dict[str, Any] = {}
    for name in parts(source):
        content = merge(content, _read(find_recipe(name)))
    return parse_overrides(overrides, content)


def parts(source: str | Path) -> list[str]:
    """The name or file of a recipe, and those of the patches laid over it, in order."""
    return [str(source)] if Path(source).is_file() else str(source).split("+")


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
    merged = dict(base)
    for key, text in pairs(arguments, "--training.epochs 5"):
        patch = _value(text, f"--{key}")
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
        if key == "objectives" and value is not None:
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


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(read_text(path))
    except (ValueError, UserError) as error:
        raise RecipeError(f"{path}: cannot be read as YAML: {str(error).removeprefix(f'{path}: ')}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: expected sections ({', '.join(SECTIONS)}), found {content!r:.80}")
    return content


def _value(text: str, flag: str) -> Any:
    try:
        return parse_yaml(text, flag.lstrip("-"))
    except ValueError as error:
        raise RecipeError(f"{flag}: cannot read the value {text!r:.80}: {error}; give it as in YAML") from error
