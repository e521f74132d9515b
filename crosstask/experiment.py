"""A recipe and a run directory, brought together."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning_fabric
import torch
import torchvision
from lightning_fabric import Fabric
from torch import nn

from crosstask import __version__
from crosstask.data.check.preflight import Preflight, preflight
from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.labels.splits import label_counts, load_splits, load_table, scale_gap, unused_rows
from crosstask.data.loading.cached import CachedDataset
from crosstask.data.loading.loader import evaluation_loader, training_loader
from crosstask.data.sample import Batch
from crosstask.data.table.table import write_table
from crosstask.data.transforms.chains import Compose, augmentation, evaluation
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import Results
from crosstask.networks.describe import describe
from crosstask.recipe import Recipe
from crosstask.seeding import derive
from crosstask.training.fit import Outcome, Trainer
from crosstask.training.learner import Learner
from crosstask.training.optimisers import rates
from crosstask.training.run import Run
from crosstask.training.runtime import make_fabric
from crosstask.training.start import start_from

log = logging.getLogger(__name__)

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Experiment:
    """A recipe to be trained into a run directory.

    >>> recipe = Recipe.load("demo")                        # doctest: +SKIP
    >>> experiment = Experiment(recipe, "runs/demo")        # doctest: +SKIP
    >>> experiment.fit()                                    # doctest: +SKIP

    Args:
        recipe: what to train.
        path: the run directory; must not hold a run yet when :meth:`fit` begins.
        quiet: show no progress.

    Raises:
        UserError: the data cannot be used.
    """

    def __init__(self, recipe: Recipe, path: str | Path, quiet: bool = False) -> None:
        self.recipe, self.run, self.quiet = recipe, Run(path), quiet
        self.resumed = False
        self.tasks = recipe.tasks()
        self.splits = load_splits(recipe.data, self.tasks)
        self.derived = DeriveTargets(recipe.data.derive, self.tasks, recipe.data.size)
        self.derived_counts = self.derived.counts(self.splits.train)

    @classmethod
    def resume(cls, path: str | Path, quiet: bool = False, trust: bool = False) -> Experiment:
        """An interrupted run, to be continued by :meth:`fit`; with ``trust``, code that its recipe names may run.

        Raises:
            UserError: there is no run.
        """
        run = Run(path)
        run.require()
        experiment = cls(Recipe.load(run.recipe_path, trust=trust), path, quiet)
        experiment.resumed = True
        return experiment

    @property
    def main_process(self) -> bool:
        """Whether this is the process that writes; known before the others are launched."""
        return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))

    def fit(self) -> Outcome:
        """Train to the end, or continue to it. See :class:`~crosstask.training.fit.Trainer`.

        Raises:
            UserError: there is a run already.
            RunError: see there.
        """
        options = self.recipe.training
        resuming = self.resumed and self.run.checkpoints.has("last")
        network = self.recipe.network(self.tasks, trained=resuming)
        if options.start_from is not None and not resuming:
            start_from(network, options.start_from)
        learner = self.recipe.learner(self.tasks, network)
        seen = self._look() if self.main_process and not self.resumed else None
        if self.main_process and not self.resumed:
            self.run.create(self.recipe.to_yaml())
            write_table(self.splits.labels, self.run.path / "labels.csv")
            if gap := scale_gap(self.splits.labels, self.recipe.data):
                log.warning("%s", gap)
            if seen is not None and not self.quiet:
                print(seen, file=sys.stderr)
        fabric = make_fabric(options)
        environment = self._environment(fabric, learner)
        if fabric.global_rank == 0:
            self.run.write("environment.json", json.dumps(environment, indent=1))
            if not self.quiet:
                print(_summary(environment), file=sys.stderr)
        trainer = Trainer(
            learner=learner,
            loader=self._loader,
            evaluator=None if self.splits.validation is None else self._evaluator,
            iterations=self.iterations(fabric.world_size),
            options=options,
            run=self.run,
            fabric=fabric,
            quiet=self.quiet,
        )
        return trainer.fit(resume=self.resumed)

    def _look(self) -> Preflight | None:
        """What the labels hold that will be trained on; a run that can learn nothing never begins.

        Raises:
            DataError: a label cannot be read, or nothing can be learnt from those of a task.
        """
        seen = preflight(self.splits.train, self.tasks, self.recipe.training.seed, self.recipe.data.on_error == "skip")
        if seen is not None:
            for warning in seen.warnings:
                log.warning("%s", warning)
        data = self.recipe.data
        if data.table is not None and (told := unused_rows(data, load_table(data), self.tasks)):
            log.warning("%s", told)
        return seen

    def iterations(self, world: int = 1) -> int:
        """Optimiser steps of the whole run."""
        options = self.recipe.training
        if options.iterations is not None:
            return options.iterations
        return max(
            round(options.epochs * len(self.splits.train) / (options.batch_size * options.accumulate * world)), 1
        )

    def _loader(self, start: int, rank: int, world: int) -> Iterable[Batch]:
        data, options = self.recipe.data, self.recipe.training
        return training_loader(
            CachedDataset(self.splits.train) if data.cache else self.splits.train,
            Compose(
                self.derived,
                augmentation(data.size, data.zoom, 0.5 if data.flip else 0.0, data.colour, data.second_view),
            ),
            batch_size=options.batch_size,
            seed=derive(options.seed, "data"),
            labelled_share=data.labelled_share,
            mixed=data.mixed,
            start=start,
            rank=rank,
            world=world,
            workers=data.workers,
            pin_memory=torch.cuda.is_available() and options.accelerator != "cpu",
            on_error=data.on_error,
        )

    def _evaluator(self, network: nn.Module, fabric: Fabric) -> Results:
        assert self.splits.validation is not None
        data, options = self.recipe.data, self.recipe.training
        batches = evaluation_loader(
            self.splits.validation,
            evaluation(data.evaluation_size),
            batch_size=options.batch_size,
            workers=data.workers,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        return evaluate(
            network,
            batches,
            self.tasks,
            device=fabric.device,
            autocast=AUTOCAST.get(options.precision),
            all_gather=_gather_objects if fabric.world_size > 1 else None,
            resamples=0,
        )

    def _environment(self, fabric: Fabric, learner: Learner) -> dict[str, Any]:
        options = self.recipe.training
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
            "network": describe(learner.network, self.recipe.data.size),
            "rates": rates(learner, options) if options.groups else [],
            "iterations": self.iterations(fabric.world_size),
            "training_samples": len(self.splits.train),
            "training_labels": label_counts(self.splits.train, self.tasks),
            "derived_targets": self.derived_counts,
        }


def _summary(environment: dict[str, Any]) -> str:
    network = environment["network"]
    labels = ", ".join(f"{name} {count}" for name, count in environment["training_labels"].items())
    derived = "".join(f", {count} of {name} derived" for name, count in environment["derived_targets"].items())
    parts = "; ".join(f"{each['lr']:g} for {each['parameters']:,} parameters" for each in environment["rates"])
    return (
        f"network: {network['parameters']:,} parameters, {network['flops'] / 1e9:.2f} GFLOPs per image; "
        f"{environment['training_samples']} training samples, labelled: {labels}{derived}; {environment['device']}"
        + (f"\nlearning rates: {parts}" if parts else "")
    )


def _gather_objects(share: object) -> list[object]:
    gathered: list[object] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, share)
    return gathered
