"""Optimisers, and learning rates as a function of the iteration alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from crosstask.training.options import TrainingOptions


def build_optimiser(module: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """The optimiser over all trainable parameters; vectors (biases, norms) are not decayed."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = options.precision != "fp16"  # one that unscales gradients itself cannot have them clipped
    if options.optimiser == "sgd":
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
