"""Parts of the network that are trained differently: learning rates by name, frozen parts, frozen norms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from torch import nn

from crosstask.errors import RecipeError, nearest
from crosstask.networks.parts import below, conditional, network_parts

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Group:
    """How one part of what is trained differs from the rest; what is null is as elsewhere.

    Args:
        lr_factor: its learning rate as a multiple of that of the run.
        lr: its learning rate (the peak), instead.
        weight_decay: its weight decay.
        schedule: its schedule, see there.
        cycles: equal parts of the run, see there.
        frozen: keep weights and batch statistics as they are, and its dropout off.
        frozen_norms: keep its normalisation layers as they are, weights and batch statistics.
    """

    lr_factor: float | None = None
    lr: float | None = None
    weight_decay: float | None = None
    schedule: Literal["cosine", "poly", "step", "constant"] | None = None
    cycles: int | None = None
    frozen: bool | None = None
    frozen_norms: bool | None = None

    def __post_init__(self) -> None:
        if self.lr is not None and self.lr_factor is not None:
            raise ValueError(f"lr is {self.lr} and lr_factor {self.lr_factor}: give one of them")
        for name in ("lr", "lr_factor", "cycles"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be more than 0, found {value} (to keep a part as it is: frozen: true)")
        if self.weight_decay is not None and not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must not be negative, found {self.weight_decay}")
        if not self.given():
            raise ValueError(f"nothing is said; give one of {', '.join(field.name for field in fields(self))}")

    def given(self) -> dict[str, object]:
        """The options that are not null."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def over(self, wider: Group | None) -> Group:
        """This group's options laid over those of a ``wider`` one that contains it."""
        if wider is None:
            return self
        before = wider.given()
        if "lr" in self.given() or "lr_factor" in self.given():
            before = {name: value for name, value in before.items() if name not in ("lr", "lr_factor")}
        return Group(**before | self.given())  # type: ignore[arg-type]


def parts(learner: nn.Module) -> dict[str, set[str]]:
    """Names of a learner's parameters by part: those of :func:`~crosstask.networks.parts.network_parts`,
    ``objectives``, ``objectives.NAME``, and ``film``, the parameters of all mapping networks that depend on the pair of
    tasks (``objectives.NAME.film``: those of one)."""
    found = {
        name: {f"network.{parameter}" for parameter in parameters}
        for name, parameters in network_parts(learner.get_submodule("network")).items()
    }
    film = conditional(learner)
    objectives = [f"objectives.{name}" for name, _ in learner.get_submodule("objectives").named_children()]
    for name in ("objectives", *objectives):
        found[name] = below(learner, name)
        if name != "objectives":
            found[f"{name}.film"] = film & found[name]
    found["film"] = film
    return {name: parameters for name, parameters in found.items() if parameters}


def assign(learner: nn.Module, groups: Mapping[str, Group]) -> dict[str, Group]:
    """The options of every parameter that a group names, by the parameter's name. Of several groups that name it, the
    smaller one's options lie over those of the larger.

    Raises:
        RecipeError: a group names no part, or one without parameters.
    """
    known = parts(learner)
    named = {name: _named(learner, known, name) for name in groups}
    found: dict[str, Group] = {}
    for name in sorted(groups, key=lambda each: -len(named[each])):
        for parameter in named[name]:
            found[parameter] = groups[name].over(found.get(parameter))
    return found


def freeze(learner: nn.Module, groups: Mapping[str, Group]) -> list[nn.Module]:
    """Take what is frozen out of training.

    Returns:
        The modules that must stay in evaluation mode while the rest is trained.

    Raises:
        RecipeError: as :func:`assign`; a group with nothing to freeze or nothing to train; or nothing is left to train.
    """
    if not groups:
        return []
    options = assign(learner, groups)
    frozen = {name for name, group in options.items() if group.frozen}
    loose = {name for name, group in options.items() if group.frozen_norms}
    modules = {path: below(learner, path) for path, _ in learner.named_modules() if path}
    norms = {path for path, owned in modules.items() if isinstance(learner.get_submodule(path), NORMS) and owned}
    resting = {path for path, owned in modules.items() if owned and owned <= frozen}
    resting |= {path for path in norms if modules[path] <= loose}
    still = frozen.union(*(modules[path] for path in resting))
    for name, parameter in learner.named_parameters():
        if name in still:
            parameter.requires_grad_(False)
    trained = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    if still and not trained:
        raise RecipeError("training.groups: everything is frozen, nothing is left to train: free a part")
    known = parts(learner)
    for name, group in groups.items():
        inside = _named(learner, known, name)
        if group.frozen_norms and not any(modules[path] <= inside for path in norms):
            raise RecipeError(f"training.groups.{name}.frozen_norms: it has no normalisation layers: leave that out")
        if not group.frozen and not inside & trained:
            raise RecipeError(
                f"training.groups.{name}: all of it is frozen elsewhere: set frozen: false here, or leave the group out"
            )
    return [learner.get_submodule(path) for path in sorted(resting)]


def _named(learner: nn.Module, known: Mapping[str, set[str]], name: str) -> set[str]:
    """Parameters of a part: one of the ``known``, or any module by its dotted name in the network."""
    found = known.get(name) or below(learner, f"network.{name}") or below(learner, name)
    if not found:
        exists = name and {path for path, _ in learner.named_modules()} & {name, f"network.{name}"}
        what = "has no parameters" if exists else "is no part of the network or the objectives"
        raise RecipeError(f"training.groups: {name!r} {what}; {nearest(name, known)}")
    return found
