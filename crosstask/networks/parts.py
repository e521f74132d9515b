"""The parts of a network by names that a person would use, whatever its modules are called."""

from __future__ import annotations

import re

from torch import nn

from crosstask.networks.heads import TaskModules
from crosstask.networks.mapping import FiLMConv

STAGE = re.compile(r"((?:\w+\.)*?(?:features_)?(?:(?:stages|layers|blocks|down)[._]|layer|stage|denseblock|s)\d+)\.")
"""How encoders name their stages: ``stages.0``, ``layers_0``, ``blocks.0``, ``layer1``, ``denseblock1``, ``s1``."""


def network_parts(network: nn.Module) -> dict[str, set[str]]:
    """Names of parameters by part: ``encoder``, ``encoder.stem``, ``encoder.stages.0`` (the first), ..., ``decoder``
    (all between the encoder and the predictions of dense tasks), ``heads`` and ``heads.TASK`` (the last layers of each
    task, those in the decoder and those of image-level tasks)."""
    parts = {"encoder": below(network, "encoder"), "decoder": below(network, "decoder")}
    children = dict(network.named_children())
    for name, parameters in _stages(children["encoder"]).items() if "encoder" in children else ():
        parts[f"encoder.{name}"] = {f"encoder.{parameter}" for parameter in parameters}
    parts["heads"] = set()
    for path, module in network.named_modules():
        if isinstance(module, TaskModules) and path.endswith(".heads"):
            for task, (key, _) in zip(module.names, module.named_children(), strict=True):
                parts[f"heads.{task}"] = below(network, f"{path}.{key}")
                parts["heads"] |= parts[f"heads.{task}"]
    return {name: parameters for name, parameters in parts.items() if parameters}


def below(module: nn.Module, path: str) -> set[str]:
    """Names of the parameters of ``module`` that are at or below the dotted ``path``."""
    return {name for name, _ in module.named_parameters() if name == path or name.startswith(f"{path}.")}


def conditional(module: nn.Module) -> set[str]:
    """Names of the parameters that scale and shift by the pair of tasks (FiLM)."""
    owners = {name for name, each in module.named_modules() if isinstance(each, FiLMConv)}
    kinds = ("gamma", "beta")
    return {f"{owner}.{kind}" if owner else kind for owner in owners for kind in kinds}


def _stages(encoder: nn.Module) -> dict[str, set[str]]:
    """Parameters of ``stem``, ``stages.0``, ...; what follows a stage (a transition, a last norm) belongs to it."""
    found: dict[str, set[str]] = {}
    begun: list[str] = []
    for name, _ in encoder.named_parameters():
        match = STAGE.match(name)
        if match and match[1] not in begun:
            begun.append(match[1])
        place = begun.index(match[1]) if match else len(begun) - 1
        found.setdefault(f"stages.{place}" if place >= 0 else "stem", set()).add(name)
    return found if begun else {}
