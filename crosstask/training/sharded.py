"""``training.strategy: fsdp``: weights, gradients and the optimiser's numbers cut over the processes of a machine.

Fully sharded data parallelism (PyTorch's ``fully_shard``), through Lightning Fabric: parts within a machine, copies
over machines. Each part of the encoder is put together when it computes. What is measured, averaged and saved is whole:
a checkpoint is that of any other run, and goes on with any strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from crosstask.learner.learner import Learner


def sharding() -> ModelParallelStrategy:
    """What Fabric is to do."""
    return ModelParallelStrategy(_cut)  # type: ignore[misc]


def is_sharded(fabric: Fabric) -> bool:
    """Whether no process has all weights."""
    return isinstance(fabric.strategy, ModelParallelStrategy)


def _cut(learner: Learner, mesh: DeviceMesh) -> nn.Module:
    learner.to(memory_format=torch.contiguous_format)  # other layouts cannot be cut
    for part in learner.network.encoder.children():
        if any(True for _ in part.parameters()):
            fully_shard(part, mesh=mesh)
    fully_shard(learner, mesh=mesh)
    return learner


def whole(value: Any) -> Any:
    """A tensor, or lists and mappings of tensors, put together from all processes; on all of them.

    >>> whole({"weight": torch.ones(2)})
    {'weight': tensor([1., 1.])}
    """
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, Mapping):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return value


def own_part(tensor: Tensor) -> Tensor:
    """What this process has of a tensor.

    >>> own_part(torch.ones(2))
    tensor([1., 1.])
    """
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def cut_like(owns: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Any]:
    """Whole tensors by name, each cut as the one that is there by that name."""
    return {
        name: _cut_like(owns[name], value) if isinstance(owns.get(name), Tensor) else value
        for name, value in values.items()
    }


def optimiser_cut(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """The whole state of an optimiser, cut as its parameters are."""
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    numbers = {
        index: {key: _cut_like(parameters[index], value) for key, value in held.items()}
        for index, held in state["state"].items()
    }
    return state | {"state": numbers}


def _cut_like(own: Tensor, value: Any) -> Any:
    if isinstance(own, DTensor) and isinstance(value, Tensor) and value.shape == own.shape:
        return distribute_tensor(value.to(own.device), own.device_mesh, own.placements)
    return value
