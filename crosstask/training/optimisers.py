"""Optimisers, and learning rates as a function of the iteration alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from crosstask.learner.groups import Group, assign
from crosstask.recipe.training import TrainingOptions


def parameter_groups(module: nn.Module, options: TrainingOptions) -> list[tuple[TrainingOptions, list[nn.Parameter]]]:
    """The trainable parameters, those that are trained alike together, with the options they are trained by.

    Vectors (biases, norms) are not decayed. Where ``options.groups`` says nothing there are two groups at most.

    Raises:
        RecipeError: a group of ``options.groups`` names no part of the module, a
            :class:`~crosstask.learner.learner.Learner`.
    """
    assigned = assign(module, options.groups) if options.groups else {}
    found: dict[tuple[bool, Group | None], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            found.setdefault((parameter.ndim <= 1, assigned.get(name)), []).append(parameter)
    ordered = sorted(found.items(), key=lambda entry: entry[0][0])  # stable: matrices before vectors
    return [(_by(group, options, plain=vector), parameters) for (vector, group), parameters in ordered]


def _by(group: Group | None, options: TrainingOptions, plain: bool) -> TrainingOptions:
    given: dict[str, Any] = {} if group is None else group.given()
    changed = {name: given[name] for name in ("lr", "weight_decay", "schedule", "cycles") if name in given}
    if "lr_factor" in given:
        changed["lr"] = options.lr * given["lr_factor"]
    if plain:
        changed["weight_decay"] = 0.0
    return replace(options, **changed)


def rates(module: nn.Module, options: TrainingOptions) -> list[dict[str, float]]:
    """Peak learning rates (``lr``), and how many ``parameters`` have each; 0 for those that are frozen."""
    counts = {0.0: sum(p.numel() for p in module.parameters() if not p.requires_grad)}
    for own, parameters in parameter_groups(module, options):
        counts[own.lr] = counts.get(own.lr, 0) + sum(p.numel() for p in parameters)
    return [{"lr": lr, "parameters": count} for lr, count in sorted(counts.items()) if count]


def build_optimiser(module: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """The optimiser over :func:`parameter_groups`, in their order."""
    groups = [
        {"params": parameters, "lr": own.lr, "weight_decay": own.weight_decay}
        for own, parameters in parameter_groups(module, options)
    ]
    fused = options.precision != "fp16"  # one that unscales gradients itself cannot have them clipped
    if options.optimiser == "sgd":
        fused = fused and options.strategy != "fsdp"  # PyTorch has none for weights in parts
        return torch.optim.SGD(
            groups, lr=options.lr, momentum=options.momentum, nesterov=options.momentum > 0, fused=fused
        )
    kind = torch.optim.AdamW if options.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=options.lr, fused=fused)


def learning_rate(iteration: int, iterations: int, options: TrainingOptions) -> float:
    """The learning rate of the step taken at ``iteration`` (0 is the first)."""
    if iteration < options.warmup:
        return options.lr * (iteration + 1) / options.warmup
    progress = min((iteration - options.warmup) / max(iterations - options.warmup, 1), 1.0)
    cycle = min(int(progress * options.cycles), options.cycles - 1)
    factor = {
        "cosine": 0.5 * (1 + math.cos(math.pi * (progress * options.cycles - cycle))),
        "poly": (1 - progress) ** 0.9,
        "step": 0.5**cycle,
        "constant": 1.0,
    }[options.schedule]
    return options.lr * factor
