"""What a recipe may say under ``training``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from crosstask.learner.groups import Group
from crosstask.ranges import Count, Factor, Positive, Rate, Share, Size, Steps

_CUT = ("fsdp", "deepspeed", "model_parallel")
"""In the names of strategies that cut weights into parts, of which the first alone is known here."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained.

    Args:
        epochs: length of the run in passes over the training samples; ignored when ``iterations`` is given.
        iterations: length of the run in optimiser steps.
        batch_size: samples per process and micro-batch.
        accumulate: micro-batches per optimiser step; with exact averages over all of them.
        optimiser: the optimiser.
        lr: peak learning rate.
        weight_decay: decoupled for AdamW, L2 otherwise; not applied to biases and normalisation parameters.
        momentum: momentum of SGD (Nesterov).
        schedule: how the learning rate falls after the warm-up: to 0 along a cosine, by the power 0.9 (poly), to half
            from each of the ``cycles`` to the next (step), or not.
        cycles: equal parts of the run after the warm-up, in each of which a cosine starts anew.
        warmup: iterations over which the learning rate rises linearly from 0.
        clip: largest gradient norm; none where null.
        precision: arithmetic of the forward pass; weights stay in 32 bits with bf16 and fp16. ``auto`` measures a few
            steps when a run begins and takes 32 or bf16 and the memory layout that are fastest; the recipe of the run
            says which, so that it goes on alike elsewhere.
        channels_last: memory layout of images and convolutions; much faster with bf16 on CPUs and GPUs.
        compile: compile the network with torch.compile.
        ema: decay of an exponential moving average of the weights; evaluation and prediction then use it.
        groups: parts of the network, by name, that are trained differently: ``{encoder: {lr_factor: 0.1}}``. A part is
            encoder, encoder.stem, encoder.stages.0, ..., decoder, heads, heads.TASK, objectives, objectives.NAME, film
            (what depends on the pair of tasks in mapping networks), or any module of the network by its own name. Of
            several that contain a parameter, the smaller one's options lie over those of the larger.
        sync_norms: compute the statistics of batch normalisation over all processes.
        start_from: run directory, or file of weights, that the network starts from: the whole encoder, and of the rest
            what agrees in name and shape, with classes matched by name; null for a new network.
        seed: seed of everything random: weights, order, augmentation, objectives (each derived separately).
        evaluate_every: iterations between evaluations on the validation split; null for ten times in a run.
        checkpoint_every: iterations between checkpoints; null for at each evaluation.
        log_every: iterations between lines of metrics.jsonl.
        patience: stop after this many evaluations without a new best; never where null.
        monitor: what decides the best checkpoint, as TASK/METRIC; null for the mean relative gain of all tasks'
            primary metrics over the first evaluation (of percentages, gained points over 100).
        devices: how many devices to use on each node, or auto.
        nodes: how many machines take part; each starts the same command, under Slurm (srun) or torchrun.
        accelerator: cpu, cuda, mps or auto.
        strategy: how processes share the work, by Lightning's name: auto or ddp, say. ``fsdp`` cuts weights, gradients
            and the optimiser's numbers over the processes of each machine (PyTorch's ``fully_shard``), for networks
            that would not fit; a moving average, and what is measured and saved, is whole.
    """

    epochs: Positive = 20
    iterations: Steps | None = None
    batch_size: Size = 8
    accumulate: Size = 1
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Rate = 1e-3
    weight_decay: Factor = 1e-4
    momentum: Share = 0.9
    schedule: Literal["cosine", "poly", "step", "constant"] = "cosine"
    cycles: Steps = 1
    warmup: Count = 0
    clip: Positive | None = None
    precision: Literal["32", "bf16", "fp16", "auto"] = "32"
    channels_last: bool = True
    compile: bool = False
    ema: Share | None = None
    groups: dict[str, Group] = field(default_factory=dict)
    sync_norms: bool = False
    start_from: str | None = None
    seed: int = 0
    evaluate_every: Steps | None = None
    checkpoint_every: Steps | None = None
    log_every: Steps = 10
    patience: Steps | None = None
    monitor: str | None = None
    devices: Size | Literal["auto"] = 1
    nodes: Steps = 1
    accelerator: str = "auto"
    strategy: str = "auto"

    def __post_init__(self) -> None:
        positive = {"batch_size": self.batch_size, "accumulate": self.accumulate, "lr": self.lr,
                    "cycles": self.cycles, "log_every": self.log_every, "epochs": self.epochs}  # fmt: skip
        optional = {"iterations": self.iterations, "clip": self.clip, "evaluate_every": self.evaluate_every,
                    "checkpoint_every": self.checkpoint_every, "patience": self.patience}  # fmt: skip
        for name, value in {**positive, **{k: v for k, v in optional.items() if v is not None}}.items():
            if not 0 < value < math.inf:
                raise ValueError(f"training.{name} must be a number more than 0, found {value}")
        for name, value in {"weight_decay": self.weight_decay, "momentum": self.momentum}.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"training.{name} must be a number of at least 0, found {value}")
        if self.strategy != "fsdp" and any(word in self.strategy for word in _CUT):
            raise ValueError(
                f"training.strategy: found {self.strategy!r}, which cuts weights into parts in a way that is not known "
                "here: set fsdp, ddp or auto"
            )
        if self.start_from is not None and not self.start_from.strip():
            raise ValueError("training.start_from is blank: name a run or a file of weights, or leave it null")
        if self.monitor is not None and "/" not in self.monitor:
            raise ValueError(f"training.monitor: found {self.monitor!r}: write TASK/METRIC, depth/abs for example")
        if self.warmup < 0:
            raise ValueError(f"training.warmup must not be negative, found {self.warmup}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"training.ema must be in [0, 1), found {self.ema}")
