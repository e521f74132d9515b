"""What a run ran on and how large it is, written beside it and said on one line."""

from __future__ import annotations

import platform
import sys
from typing import Any

import lightning_fabric
import torch
import torchvision
from lightning_fabric import Fabric

from crosstask import __version__
from crosstask.learner.learner import Learner
from crosstask.networks.describe import describe
from crosstask.splits import label_counts
from crosstask.training.optimisers import rates
from crosstask.training.plan import Plan


def environment(plan: Plan, fabric: Fabric, learner: Learner) -> dict[str, Any]:
    """Plain values for ``environment.json``."""
    return {
        "command": sys.argv,
        "crosstask": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning_fabric": lightning_fabric.__version__,
        "device": str(fabric.device),
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
        "network": describe(learner.network, plan.recipe.data.size),
        "rates": rates(learner, plan.recipe.training) if plan.recipe.training.groups else [],
        "iterations": plan.iterations(fabric.world_size),
        "training_samples": len(plan.splits.train),
        "training_labels": label_counts(plan.splits.train, plan.tasks),
        "derived_targets": plan.derived_counts,
    }


def summary(environment: dict[str, Any]) -> str:
    """One line of it, for people."""
    network = environment["network"]
    labels = ", ".join(f"{name} {count}" for name, count in environment["training_labels"].items())
    derived = "".join(f", {count} of {name} derived" for name, count in environment["derived_targets"].items())
    parts = "; ".join(f"{each['lr']:g} for {each['parameters']:,} parameters" for each in environment["rates"])
    return (
        f"network: {network['parameters']:,} parameters, {network['flops'] / 1e9:.2f} GFLOPs per image; "
        f"{environment['training_samples']} training samples, labelled: {labels}{derived}; {environment['device']}"
        + (f"\nlearning rates: {parts}" if parts else "")
    )
