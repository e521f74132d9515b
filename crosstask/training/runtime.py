"""Devices, precision, processes and compilation."""

from __future__ import annotations

import atexit
import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning_fabric.plugins.precision import MixedPrecision
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from crosstask.errors import Elsewhere, UserError
from crosstask.recipe.training import TrainingOptions
from crosstask.training.sharded import sharding


def compile_network(network: nn.Module) -> None:
    """Compile the two halves of the network in place; its weights and their names stay as they are."""
    for half in ("features", "heads_forward"):
        setattr(network, half, torch.compile(getattr(network, half)))


PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
"""What Fabric calls them; ``auto`` is one of them by then."""


def make_fabric(options: TrainingOptions) -> Fabric:
    """The device side of a run, launched: from here on, rank and number of processes are Fabric's.

    Raises:
        UserError: there are no such devices, or ``srun`` or ``torchrun`` started another number of processes.
        Elsewhere: the same, on another process than the first.
    """
    _require_all_started(options)
    _require_bounded(options)
    sharded = options.strategy == "fsdp"
    fabric = _made(
        options,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=sharding() if sharded else options.strategy,
        precision=PRECISIONS[options.precision],
    )
    try:
        fabric.launch()
    except (MisconfigurationException, ValueError) as error:
        raise _unavailable(options, error) from error
    atexit.register(take_leave)
    precision = fabric.strategy.precision
    if isinstance(precision, MixedPrecision):  # autocast casts what it computes with; labels stay what they are
        precision.convert_input = lambda data: data  # type: ignore[method-assign]
    return fabric


def take_leave() -> None:
    """Leave the processes that compute together, if this is one of several.

    An interpreter that ends while threads of gloo still run may be aborted, after all its work is done; Fabric takes
    leave of nccl alone.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _made(options: TrainingOptions, **given: Any) -> Fabric:
    try:
        return Fabric(accelerator=options.accelerator, **given)
    except (MisconfigurationException, ValueError, RuntimeError, ImportError) as error:
        raise _unavailable(options, error) from error


def _unavailable(options: TrainingOptions, error: Exception) -> UserError:
    reason = " ".join(str(error).split()).partition(": [")[0][:200]
    return UserError(
        f"training.accelerator: found {options.accelerator!r} with training.devices: {options.devices}, "
        f"training.nodes: {options.nodes} and training.strategy: {options.strategy}, which cannot be had here "
        f"({reason}): set training.accelerator: auto, and the others to what this machine has"
    )


def make_device(options: TrainingOptions) -> torch.device:
    """The device a single process computes on, whatever else takes part in the run."""
    return _made(options, devices=1).device


def _require_bounded(options: TrainingOptions) -> None:
    """Refuse more processes on a CPU than it could ever run: they would be started all the same."""
    most = max(8, 2 * (os.cpu_count() or 1))
    if options.devices != "auto" and options.devices > most and not torch.cuda.is_available():
        raise UserError(
            f"training.devices is {options.devices}, more processes than {most}, which is what this machine of "
            f"{os.cpu_count()} cores without a GPU could run: lower it"
        )


def _require_all_started(options: TrainingOptions) -> None:
    """Make sure that whoever started the processes started as many as the recipe says.

    Processes that do not know of each other would all write to the same run.
    """
    environment: ClusterEnvironment
    if TorchElasticEnvironment.detect():
        name, environment = "torchrun", TorchElasticEnvironment()
        nodes = environment.world_size() // int(os.environ.get("LOCAL_WORLD_SIZE", environment.world_size()))
    elif SLURMEnvironment.detect():
        name, environment = "srun", SLURMEnvironment()
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
    else:
        return
    world = environment.world_size()
    if options.devices == "auto" or (options.devices * options.nodes == world and options.nodes == nodes):
        return
    if environment.global_rank() > 0:
        raise Elsewhere
    raise UserError(
        f"training.devices is {options.devices} and training.nodes {options.nodes}, but {name} started {world} "
        f"processes on {nodes} nodes: set training.devices: {world // nodes} and training.nodes: {nodes}, or start "
        f"{options.devices * options.nodes}"
    )
