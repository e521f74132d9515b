"""What a run will be: its tasks, its samples, its length. No device is asked for, no file is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from crosstask.data.labels.balance import balance_classes
from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.loading.cached import CachedDataset
from crosstask.data.loading.loader import evaluation_loader, training_loader
from crosstask.data.sample import Batch
from crosstask.data.transforms.chains import Compose, augmentation, evaluation
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.prior import Prior, sample
from crosstask.evaluation.results import Results
from crosstask.evaluation.scale import AtScale
from crosstask.recipe import Recipe
from crosstask.seeding import derive
from crosstask.splits import Splits, load_splits
from crosstask.tasks.base import Task
from crosstask.training.collective import gather_objects

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Plan:
    """A recipe, with the data it names.

    Attributes:
        recipe: the recipe.
        tasks: its tasks by name.
        splits: its samples.
        derived: derives the targets it asks for.
        derived_counts: how many training samples get a derived target, by task.
    """

    recipe: Recipe
    tasks: dict[str, Task]
    splits: Splits
    derived: DeriveTargets
    derived_counts: dict[str, int]

    @classmethod
    def of(cls, recipe: Recipe) -> Plan:
        """
        Raises:
            UserError: the data cannot be used.
        """
        tasks = recipe.tasks()
        derived = DeriveTargets(recipe.data.derive, tasks, recipe.data.size)
        splits = load_splits(recipe.data, tasks)
        balance_classes(tasks, splits.train, recipe.data.on_error)
        return cls(recipe, tasks, splits, derived, derived.counts(splits.train))

    def iterations(self, world: int = 1) -> int:
        """Optimiser steps of the whole run on ``world`` processes."""
        options = self.recipe.training
        if options.iterations is not None:
            return options.iterations
        return max(
            round(options.epochs * len(self.splits.train) / (options.batch_size * options.accumulate * world)), 1
        )

    def training_batches(self, start: int, rank: int, world: int) -> Iterable[Batch]:
        """The micro-batches of a rank from number ``start`` on, without end."""
        data, options = self.recipe.data, self.recipe.training
        return training_loader(
            CachedDataset(self.splits.train) if data.cache else self.splits.train,
            Compose(
                self.derived,
                augmentation(
                    data.size,
                    data.zoom,
                    0.5 if data.flip else 0.0,
                    data.colour,
                    data.second_view,
                    data.strong,
                    self.tasks,
                ),
            ),
            batch_size=options.batch_size,
            seed=derive(options.seed, "data"),
            labelled_share=data.labelled_share,
            mixed=data.mixed,
            start=start,
            rank=rank,
            world=world,
            workers=data.workers,
            timeout=data.timeout,
            pin_memory=torch.cuda.is_available() and options.accelerator != "cpu",
            on_error=data.on_error,
        )

    def validation_results(self, network: nn.Module, fabric: Fabric, alive: Callable[[], None]) -> Results:
        """The network measured on the validation split by all ranks; ``alive`` is called after each batch."""
        assert self.splits.validation is not None
        data, options = self.recipe.data, self.recipe.training
        batches = evaluation_loader(
            self.splits.validation,
            evaluation(),
            batch_size=options.batch_size,
            workers=data.workers,
            timeout=data.timeout,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        return evaluate(
            AtScale(network, self.tasks, data.shown_size),
            batches,
            self.tasks,
            device=fabric.device,
            autocast=AUTOCAST.get(options.precision),
            all_gather=gather_objects if fabric.world_size > 1 else None,
            progress=lambda done, total: alive(),
            resamples=0,
        )

    def prior_results(self, fabric: Fabric, alive: Callable[[], None]) -> Results:
        """What the mean or mode of a sample of the training labels reaches on the validation split."""
        data = self.recipe.data
        batches = evaluation_loader(
            sample(self.splits.train),
            evaluation(),
            batch_size=self.recipe.training.batch_size,
            timeout=data.timeout,
            on_error=data.on_error,
        )
        return self.validation_results(Prior.fit(batches, self.tasks, data.size), fabric, alive)
