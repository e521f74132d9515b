"""One YAML file that says everything about a run: data, tasks, network, objectives, balancing, training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from crosstask.balancing import BALANCERS
from crosstask.construct import build, construct, look_up
from crosstask.data.options import DataOptions
from crosstask.errors import RecipeError, UserError
from crosstask.learner.learner import Learner
from crosstask.learner.weighting import Weighting
from crosstask.networks import NETWORKS, MultiTaskNetwork
from crosstask.networks.sync import synchronise
from crosstask.objectives import OBJECTIVES
from crosstask.recipe.monitor import require_measured
from crosstask.recipe.refine import RefineOptions
from crosstask.recipe.sections import BASES, checked, split_weighting
from crosstask.recipe.training import TrainingOptions
from crosstask.recipe.written import SECTIONS, written
from crosstask.seeding import derive
from crosstask.strict_yaml import dump_yaml
from crosstask.tasks import KINDS, Task


@dataclass(frozen=True)
class Recipe:
    """A validated recipe; every default is filled in.

    Attributes:
        sections: plain values by section, as they would stand in a YAML file.
        trust: whether code that the recipe names by ``class_path`` may run. Reading a recipe runs none otherwise.
        origin: the file in a run it was read from, which errors name.
    """

    sections: dict[str, Any]
    trust: bool = field(default=False, compare=False)
    origin: Path | None = field(default=None, compare=False)

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
        typed = written(source, overrides)
        with typed.named():
            return cls.of(typed.values, trust)

    @classmethod
    def stored(cls, path: Path, trust: bool = False) -> Recipe:
        """The recipe in the folder of a run, a comparison or rounds.

        Raises:
            RecipeError: it is missing, broken or not valid; names the file, then the key.
        """
        try:
            return replace(cls.load(path, trust=trust), origin=path)
        except RecipeError as error:
            text = str(error)
            raise RecipeError(text if text.startswith(str(path)) else f"{path}: {text}") from error

    @classmethod
    def of(cls, raw: Mapping[str, Any], trust: bool = False) -> Recipe:
        """Validate plain values, as read from YAML.

        Raises:
            RecipeError: one line naming the key, the value found and the nearest valid key.
        """
        return cls(checked(raw, trust), trust)

    def to_yaml(self) -> str:
        """The recipe as a file that :meth:`load` reads back to the same recipe."""
        return dump_yaml(self.sections, width=120)

    # -- building --------------------------------------------------------------------------------------------------

    @contextmanager
    def named(self) -> Iterator[None]:
        """A context whose errors name the file of the recipe before the key, where it was read from a run."""
        try:
            yield
        except UserError as error:
            if self.origin is None or str(error).partition(".")[0].partition(":")[0] not in SECTIONS:
                raise
            raise type(error)(f"{self.origin}: {error}") from error

    @cached_property
    def data(self) -> DataOptions:
        """The section `data`, checked."""
        with self.named():
            return construct(DataOptions, self.sections["data"], "data")

    @cached_property
    def training(self) -> TrainingOptions:
        """The section `training`, checked."""
        with self.named():
            return construct(TrainingOptions, self.sections["training"], "training")

    @property
    def refine(self) -> RefineOptions:
        """What only ``crosstask refine`` looks at; defaults where the recipe does not say."""
        with self.named():
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
            schedule, rest = split_weighting(entry)
            with self.named():
                weightings[name] = construct(Weighting, schedule, where)
            torch.manual_seed(derive(seed, "objectives", name))
            objectives[name] = self._build(OBJECTIVES, rest, where, tasks=tasks, network=network)
        balancer = self._build(BALANCERS, self.sections["balancing"], "balancing")
        learner = Learner(network, objectives, weightings, balancer)
        learner.freeze(self.training.groups or {})
        return learner

    def require_monitor(self, tasks: Mapping[str, Task]) -> None:
        """
        Raises:
            RecipeError: ``training.monitor`` names no number of the tasks.
        """
        with self.named():
            require_measured(self.training.monitor, tasks)

    def rehearse(self) -> None:
        """Build network, objectives and balancer and drop them: what cannot be built, or measured, is said before hours
        of other trainings. No pretrained weights are fetched, no data are read.

        Raises:
            RecipeError: one line naming the key, the value found and what would be valid.
        """
        tasks = self.tasks()
        self.require_monitor(tasks)
        self.learner(tasks, self.network(tasks, trained=True))

    def _build(self, registry: Mapping[str, type], options: Mapping[str, Any], where: str, **provided: Any) -> Any:
        cls: type
        with self.named():
            cls, rest = look_up(registry, options, where, self.trust, BASES[where.partition(".")[0]])
            return build(cls, rest, where, provided)
