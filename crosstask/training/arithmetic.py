"""``training.precision: auto``: the arithmetic and memory layout in which a step is fastest, measured at the start."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch
from torch import nn

from crosstask.recipe import Recipe
from crosstask.training.runtime import make_device

TYPES = {"32": None, "bf16": torch.bfloat16}
MEASURED = ("precision", "channels_last")
"""The options of training that are measured."""
STEPS = 3
"""Steps that are measured of each, after one that is not; the fastest counts."""


@dataclass(frozen=True)
class Arithmetic:
    """How the forward pass computes.

    Attributes:
        precision: 32 or bf16.
        channels_last: the memory layout.
        seconds: of a step of the network.
    """

    precision: str
    channels_last: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.precision}{' channels last' if self.channels_last else ''} ({self.seconds:.3f} s a step)"


def settled(recipe: Recipe, before: Path) -> tuple[Recipe, str]:
    """The recipe without ``auto``, and what there is to say of it.

    A single process measures. Several could come to several results: they take bf16 where their GPUs compute with it,
    else 32, and the layout of the recipe.

    Args:
        recipe: the recipe.
        before: the recipe of what is to go on, where that was begun: it keeps what it began with.
    """
    options = recipe.training
    if options.precision != "auto":
        return recipe, ""
    if before.is_file():
        stored = Recipe.stored(before, recipe.trust).training
        return _with(recipe, Arithmetic(stored.precision, stored.channels_last)), ""
    if options.devices != 1 or options.nodes != 1:
        able = options.accelerator != "cpu" and torch.cuda.is_available()
        precision = "bf16" if able and torch.cuda.is_bf16_supported(including_emulation=False) else "32"
        return _with(recipe, Arithmetic(precision, options.channels_last)), f"precision auto: {precision}"
    tasks = recipe.tasks()
    network = recipe.network(tasks, trained=True)  # no weights are fetched for it
    found = measured(network, recipe.data.size, options.batch_size, make_device(replace(options, precision="32")))
    best = min(found, key=lambda each: each.seconds)
    others = ", ".join(str(each) for each in found if each is not best)
    return _with(recipe, best), f"precision auto: {best}; measured beside it: {others}"


def measured(network: nn.Module, size: tuple[int, int], batch_size: int, device: torch.device) -> list[Arithmetic]:
    """A step of the network, forward and backward, in every arithmetic and layout.

    Args:
        network: images (B, 3, H, W) to raw predictions by task.
        size: height and width.
        batch_size: images of a step.
        device: where it trains.
    """
    network = network.to(device).train()
    found = []
    for (precision, kind), last in product(TYPES.items(), (True, False)):
        layout = torch.channels_last if last else torch.contiguous_format
        network.to(memory_format=layout)
        images = torch.rand(batch_size, 3, *size, device=device).contiguous(memory_format=layout)
        seconds = min([_step(network, images, kind) for _ in range(STEPS + 1)][1:])
        found.append(Arithmetic(precision, last, seconds))
    return found


def _step(network: nn.Module, images: torch.Tensor, kind: torch.dtype | None) -> float:
    start = time.perf_counter()
    with torch.autocast(images.device.type, kind, enabled=kind is not None):
        predictions = network(images)
    torch.stack([each.float().mean() for each in predictions.values()]).sum().backward()
    network.zero_grad()
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return time.perf_counter() - start


def _with(recipe: Recipe, chosen: Arithmetic) -> Recipe:
    said = {"precision": chosen.precision, "channels_last": chosen.channels_last}
    return Recipe.of(recipe.sections | {"training": recipe.sections["training"] | said}, recipe.trust)
