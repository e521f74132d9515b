"""Devices, precision, processes and compilation."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import nn

from crosstask.training.options import TrainingOptions


def compile_network(network: nn.Module) -> None:
    """Compile the two halves of the network in place; its weights and their names stay as they are."""
    for half in ("features", "heads_forward"):
        setattr(network, half, torch.compile(getattr(network, half)))


PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_fabric(options: TrainingOptions) -> Fabric:
    """The device side of a run; must be launched before anything else happens on several devices."""
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=options.devices,
        strategy=options.strategy,
        precision=PRECISIONS[options.precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric
