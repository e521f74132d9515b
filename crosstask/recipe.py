"""One YAML file that says everything about a run: data, tasks, network, objectives, balancing, training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from crosstask.balancing import BALANCERS
from crosstask.balancing.base import Balancer
from crosstask.construct import build, construct, look_up, resolve, signature_options
from crosstask.data.options import DataOptions
from crosstask.data.table.table import RESERVED
from crosstask.errors import RecipeError, nearest
from crosstask.names import require_different
from crosstask.networks import NETWORKS, MultiTaskNetwork
from crosstask.networks.sync import synchronise
from crosstask.objectives import OBJECTIVES
from crosstask.objectives.base import Objective
from crosstask.recipe_values import SECTIONS, by_name, checked_name, options_of, read_recipe
from crosstask.rounds.options import RefineOptions
from crosstask.seeding import derive
from crosstask.tasks import KINDS, Task
from crosstask.training.learner import Learner, Weighting
from crosstask.training.options import TrainingOptions

BASES: dict[str, type] = {"tasks": Task, "network": torch.nn.Module, "objectives": Objective, "balancing": Balancer}
"""What a user's own class in a section is made from."""


@dataclass(frozen=True)
class Recipe:
    """A validated recipe; every default is filled in.

    Attributes:
        sections: plain values by section, as they would stand in a YAML file.
        trust: whether code that the recipe names by ``class_path`` may run. Reading a recipe runs none otherwise.
    """

    sections: dict[str, Any]
    trust: bool = field(default=False, compare=False)

    # -- reading ---------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, source: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> Recipe:
        """Read a recipe file, or one that ships with the package by its name (``nyuv2_one``).

        Args:
            source: path of a YAML file, or name of a shipped recipe; with patches to lay over it, ``demo+derive``.
            overrides: dotted flags, ``["--training.epochs", "5", "--data.labels=one"]``.
            trust: run the code that the recipe names by ``class_path``; a recipe with such a name is refused otherwise.

        Raises:
            RecipeError: the file is missing or broken, or something in it is not valid.
        """
        return cls.of(read_recipe(source, overrides), trust)

    @classmethod
    def stored(cls, path: Path, trust: bool = False) -> Recipe:
        """The recipe in the folder of a run, a comparison or rounds.

        Raises:
            RecipeError: it is missing, broken or not valid; names the file, then the key.
        """
        try:
            return cls.load(path, trust=trust)
        except RecipeError as error:
            text = str(error)
            raise RecipeError(text if text.startswith(str(path)) else f"{path}: {text}") from error

    @classmethod
    def of(cls, raw: Mapping[str, Any], trust: bool = False) -> Recipe:
        """Validate plain values, as read from YAML.

        Raises:
            RecipeError: one line naming the key, the value found and the nearest valid key.
        """
        for key in raw:
            if key not in SECTIONS:
                raise RecipeError(f"{key}: no such section (found {raw[key]!r:.80}); {nearest(str(key), SECTIONS)}")
        if not isinstance(raw.get("tasks"), Mapping) or not raw["tasks"]:
            raise RecipeError("tasks: missing; name at least one, for example  tasks: {depth: {kind: depth}}")
        network, balancing = (options_of(raw, name) for name in ("network", "balancing"))
        return cls(
            {
                "data": resolve(DataOptions, raw.get("data"), "data"),
                "tasks": _tasks(raw["tasks"], trust),
                "network": _entry(NETWORKS, {**_kind(network, "multitask"), **network}, "network", trust),
                "objectives": _objectives("supervised" if raw.get("objectives") is None else raw["objectives"], trust),
                "balancing": _entry(BALANCERS, {**_kind(balancing, "fixed"), **balancing}, "balancing", trust),
                "training": resolve(TrainingOptions, _cleared(raw.get("training")), "training"),
                **({"loggers": _loggers(raw["loggers"], trust)} if raw.get("loggers") else {}),
                **({"refine": resolve(RefineOptions, raw["refine"], "refine")} if raw.get("refine") else {}),
            },
            trust,
        )

    def to_yaml(self) -> str:
        """The recipe as a file that :meth:`load` reads back to the same recipe."""
        return yaml.safe_dump(self.sections, sort_keys=False, allow_unicode=True, width=120)

    # -- building --------------------------------------------------------------------------------------------------

    @cached_property
    def data(self) -> DataOptions:
        """The section `data`, checked."""
        return construct(DataOptions, self.sections["data"], "data")

    @cached_property
    def training(self) -> TrainingOptions:
        """The section `training`, checked."""
        return construct(TrainingOptions, self.sections["training"], "training")

    @property
    def refine(self) -> RefineOptions:
        """What only ``crosstask refine`` looks at; defaults where the recipe does not say."""
        return construct(RefineOptions, self.sections.get("refine"), "refine")

    def tasks(self) -> dict[str, Task]:
        """The tasks by name, in the recipe's order."""
        return {
            name: self._build(KINDS, options, f"tasks.{name}", name=name)
            for name, options in self.sections["tasks"].items()
        }

    def network(self, tasks: Mapping[str, Task], trained: bool = False) -> MultiTaskNetwork:
        """A fresh network; its weights depend on the seed alone.

        Args:
            tasks: the tasks.
            trained: the weights come from a checkpoint next, so none are fetched for the encoder.
        """
        torch.manual_seed(derive(self.sections["training"]["seed"], "network"))
        options = dict(self.sections["network"])
        if trained:
            options |= {key: value for key, value in {"pretrained": False, "weights": None}.items() if key in options}
        return self._build(NETWORKS, options, "network", tasks=tasks)

    def learner(self, tasks: Mapping[str, Task], network: MultiTaskNetwork) -> Learner:
        """Network, objectives and balancer, ready to be trained. What an objective starts from depends on the seed and
        its own name, not on which others there are."""
        seed = self.training.seed
        if self.training.sync_norms:
            synchronise(network)
        objectives, weightings = {}, {}
        for name, entry in self.sections["objectives"].items():
            where = f"objectives.{name}"
            schedule, rest = _split_weighting(entry)
            weightings[name] = construct(Weighting, schedule, where)
            torch.manual_seed(derive(seed, "objectives", name))
            objectives[name] = self._build(OBJECTIVES, rest, where, tasks=tasks, network=network)
        balancer = self._build(BALANCERS, self.sections["balancing"], "balancing")
        learner = Learner(network, objectives, weightings, balancer)
        learner.freeze(self.training.groups or {})
        return learner

    def _build(self, registry: Mapping[str, type], options: Mapping[str, Any], where: str, **provided: Any) -> Any:
        cls: type
        cls, rest = look_up(registry, options, where, self.trust, BASES[where.partition(".")[0]])
        return build(cls, rest, where, provided)


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
        name = checked_name(given, f"tasks.{given}", "name of a task")
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


def _loggers(value: Any, trust: bool) -> dict[str, Any]:
    from crosstask.training.loggers import validated  # imports Fabric, which reading a recipe needs for nothing else

    return validated(by_name(value), trust)


def _objectives(value: Any, trust: bool) -> dict[str, Any]:
    entries = by_name(value)
    if not entries:
        raise RecipeError(f"objectives: none given (found {value!r:.80}); name at least one, for example supervised")
    resolved = {}
    for given, options in entries.items():
        where = f"objectives.{given}"
        name = checked_name(given, where, "name of an objective")
        if hasattr(torch.nn.ModuleDict(), name) or "." in name:
            raise RecipeError(f"{where}: {name!r} is a name PyTorch has a use for: give the objective another")
        if options is not None and not isinstance(options, Mapping):
            raise RecipeError(f"{where}: expected options (key: value), found {options!r}")
        named = dict(options or {})
        if "kind" not in named and "class_path" not in named:
            if name not in OBJECTIVES:
                raise RecipeError(f"{where}: there is no objective {name!r}; {nearest(str(name), OBJECTIVES)}")
            named["kind"] = name
        schedule, rest = _split_weighting(named)
        cls, own = look_up(OBJECTIVES, rest, where, trust, Objective)
        valid = {*signature_options(cls, dict.fromkeys(("tasks", "network"))), *Weighting.__dataclass_fields__}
        for key in own:
            if key not in valid:
                raise RecipeError(f"{where}.{key}: no such option (found {own[key]!r}); {nearest(str(key), valid)}")
        resolved[name] = _entry(OBJECTIVES, rest, where, trust, ("tasks", "network")) | resolve(
            Weighting, schedule, where
        )
    return resolved


def _split_weighting(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
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
