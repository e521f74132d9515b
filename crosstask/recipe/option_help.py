"""Every key a recipe may have, from the signatures that are their single source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jsonargparse import ArgumentParser

from crosstask.balancing import BALANCERS
from crosstask.data.options import DataOptions
from crosstask.learner.weighting import Weighting
from crosstask.networks import NETWORKS
from crosstask.objectives import OBJECTIVES
from crosstask.recipe.refine import RefineOptions
from crosstask.recipe.training import TrainingOptions
from crosstask.tasks import KINDS


def option_help() -> str:
    """The keys of all sections with their types, defaults and meaning."""
    parts = [_section("data", DataOptions), _section("training", TrainingOptions)]
    parts += _registry("tasks.NAME", "kind", KINDS, ("name",))
    parts += _registry("network", "kind", NETWORKS, ("tasks",))
    parts += [_section("objectives.NAME (every objective)", Weighting)]
    parts += _registry("objectives.NAME", "kind", OBJECTIVES, ("tasks", "network"))
    parts += _registry("balancing", "kind", BALANCERS, ())
    parts += [_section("refine (crosstask refine alone)", RefineOptions)]
    return "\n".join(part for part in parts if part)


def _registry(where: str, key: str, registry: Mapping[str, type], provided: Sequence[str]) -> list[str]:
    return [_section(f"{where}, {key}: {name}", cls, provided) for name, cls in registry.items()]


def _section(title: str, cls: type, provided: Sequence[str] = ()) -> str:
    parser = ArgumentParser(add_help=False, usage="")
    parser.add_class_arguments(cls, skip=set(provided))
    options = [line for line in parser.format_help().splitlines() if line.startswith("  ")]
    listed = "\n".join(line.replace("--", "", 1) if line.startswith("  --") else line for line in options)
    return f"{title}\n{listed}\n" if listed else f"{title}\n"
