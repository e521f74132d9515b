"""The sections of a recipe, checked: every key exists, every value is of its type, every default is filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from crosstask.balancing import BALANCERS
from crosstask.balancing.base import Balancer
from crosstask.construct import look_up, resolve, signature_options
from crosstask.data.options import DataOptions
from crosstask.data.table.table import RESERVED
from crosstask.errors import RecipeError, nearest
from crosstask.learner.weighting import Weighting
from crosstask.names import require_different
from crosstask.networks import NETWORKS
from crosstask.objectives import OBJECTIVES
from crosstask.objectives.base import Objective
from crosstask.recipe.loggers import checked_loggers
from crosstask.recipe.refine import RefineOptions
from crosstask.recipe.training import TrainingOptions
from crosstask.recipe.written import SECTIONS, by_name, entry_name, options_of
from crosstask.tasks import KINDS, Task

BASES: dict[str, type] = {"tasks": Task, "network": torch.nn.Module, "objectives": Objective, "balancing": Balancer}
"""What a user's own class in a section is made from."""


def checked(raw: Mapping[str, Any], trust: bool) -> dict[str, Any]:
    """Plain values by section, every default filled in.

    Args:
        raw: plain values, as read from YAML.
        trust: whether code named by ``class_path`` may run.

    Raises:
        RecipeError: one line naming the key, the value found and the nearest valid key.
    """
    for key in raw:
        if key not in SECTIONS:
            raise RecipeError(f"{key}: no such section (found {raw[key]!r:.80}); {nearest(str(key), SECTIONS)}")
    if not isinstance(raw.get("tasks"), Mapping) or not raw["tasks"]:
        raise RecipeError("tasks: missing; name at least one, for example  tasks: {depth: {kind: depth}}")
    network, balancing = (options_of(raw, name) for name in ("network", "balancing"))
    return {
        "data": resolve(DataOptions, raw.get("data"), "data"),
        "tasks": _tasks(raw["tasks"], trust),
        "network": _entry(NETWORKS, {**_kind(network, "multitask"), **network}, "network", trust),
        "objectives": _objectives("supervised" if raw.get("objectives") is None else raw["objectives"], trust),
        "balancing": _entry(BALANCERS, {**_kind(balancing, "fixed"), **balancing}, "balancing", trust),
        "training": resolve(TrainingOptions, _cleared(raw.get("training")), "training"),
        **({"loggers": checked_loggers(by_name(raw["loggers"]), trust)} if raw.get("loggers") else {}),
        **({"refine": resolve(RefineOptions, raw["refine"], "refine")} if raw.get("refine") else {}),
    }


def _cleared(training: Any) -> Any:
    """The options of training, where ``groups: null`` takes those away that stood below."""
    if isinstance(training, Mapping) and training.get("groups", {}) is None:
        return {key: value for key, value in training.items() if key != "groups"}
    return training


def _kind(options: Mapping[str, Any], default: str) -> dict[str, str]:
    return {} if "class_path" in options else {"kind": default}


def _tasks(raw: Mapping[Any, Any], trust: bool) -> dict[str, Any]:
    tasks = {}
    for given, options in raw.items():
        name = entry_name(given, f"tasks.{given}", "name of a task")
        if name in RESERVED:
            raise RecipeError(
                f"tasks.{name}: a table's column {name!r} means something else: give the task another name"
            )
        tasks[name] = _entry(KINDS, options, f"tasks.{name}", trust, ("name",))
    try:
        require_different(tasks, "tasks")
    except ValueError as error:
        raise RecipeError(str(error)) from None
    return tasks


def _objectives(value: Any, trust: bool) -> dict[str, Any]:
    entries = by_name(value)
    if not entries:
        raise RecipeError(f"objectives: none given (found {value!r:.80}); name at least one, for example supervised")
    resolved = {}
    for given, options in entries.items():
        where = f"objectives.{given}"
        name = entry_name(given, where, "name of an objective")
        if hasattr(torch.nn.ModuleDict(), name) or "." in name:
            raise RecipeError(f"{where}: {name!r} is a name PyTorch has a use for: give the objective another")
        if options is not None and not isinstance(options, Mapping):
            raise RecipeError(f"{where}: expected options (key: value), found {options!r}")
        named = dict(options or {})
        if "kind" not in named and "class_path" not in named:
            if name not in OBJECTIVES:
                raise RecipeError(f"{where}: there is no objective {name!r}; {nearest(str(name), OBJECTIVES)}")
            named["kind"] = name
        schedule, rest = split_weighting(named)
        cls, own = look_up(OBJECTIVES, rest, where, trust, Objective)
        valid = {*signature_options(cls, dict.fromkeys(("tasks", "network"))), *Weighting.__dataclass_fields__}
        for key in own:
            if key not in valid:
                raise RecipeError(f"{where}.{key}: no such option (found {own[key]!r}); {nearest(str(key), valid)}")
        resolved[name] = _entry(OBJECTIVES, rest, where, trust, ("tasks", "network")) | resolve(
            Weighting, schedule, where
        )
    return resolved


def split_weighting(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of an objective that say how much it counts, and those of its own."""
    keys = Weighting.__dataclass_fields__
    return (
        {key: value for key, value in options.items() if key in keys},
        {key: value for key, value in options.items() if key not in keys},
    )


def _entry(
    registry: Mapping[str, type], options: Any, where: str, trust: bool, provided: Sequence[str] = ("tasks",)
) -> dict[str, Any]:
    """One entry of a section with its defaults filled in."""
    if not isinstance(options, Mapping):
        raise RecipeError(f"{where}: expected options such as kind: {next(iter(registry))}, found {options!r:.80}")
    cls: type
    cls, rest = look_up(registry, options, where, trust, BASES[where.partition(".")[0]])
    resolved = resolve(cls, rest, where, dict.fromkeys(provided))
    if "class_path" in options:
        return {"class_path": options["class_path"], "init_args": resolved}
    return {"kind": options["kind"], **resolved}
