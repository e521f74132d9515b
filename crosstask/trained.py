"""What was trained, loaded again to be measured and used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.loading.loader import evaluation_loader
from crosstask.data.loading.readable import OnError
from crosstask.data.sample import Batch
from crosstask.data.table.sources import read_like, readers
from crosstask.data.table.split_names import spelled
from crosstask.data.transforms.chains import evaluation
from crosstask.errors import DataError, UserError
from crosstask.evaluation.scale import AtScale
from crosstask.names import require_name
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.recipe import Recipe
from crosstask.splits import Splits, load_splits, measurable
from crosstask.tasks.base import Task
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run


@dataclass(frozen=True)
class TrainedRun:
    """A run as it is measured and used.

    Attributes:
        run: the run directory.
        recipe: its recipe.
        tasks: the tasks by name.
        network: the network with the chosen weights, in evaluation mode.
        weights: which checkpoint they are from, best or last.
    """

    run: Run
    recipe: Recipe
    tasks: dict[str, Task]
    network: MultiTaskNetwork
    weights: str

    @cached_property
    def splits(self) -> Splits:
        """The data of the recipe."""
        with self.recipe.named():
            return load_splits(self.recipe.data, self.tasks)

    def evaluation_data(self, split: str | None = None, table: str | None = None) -> tuple[Dataset, str]:
        """The samples to measure on and the name of their split.

        Args:
            split: name of a split; "" for all rows of ``table``; None for the recipe's test split.
            table: another table than the recipe's; a task it has no column of has no label in it.

        Raises:
            DataError: there is no such split.
        """
        data = self.recipe.data
        name = data.test_split if split is None else split
        try:
            require_name(name or "all", "--split", "name of a split that results can be named after")
        except ValueError as error:
            raise DataError(str(error)) from None
        if table is not None:
            given = read_like(table, data.table)
            if not set(self.tasks) & set(given.columns):
                raise DataError(f"{table}: no column of {', '.join(self.tasks)}: there is nothing to measure in it")
            columns = tuple(dict.fromkeys((*given.columns, *self.tasks)))  # no column is no label
            whole = TableDataset(
                replace(given, columns=columns),
                self.tasks,
                spelled(name, given.splits) or name or None,
                confined=data.confined,
                readers=readers(data.table, self.tasks),
            )
            return measurable(whole), name
        known: dict[str, Dataset] = {}
        for key, dataset in (
            (data.test_split, self.splits.test),
            (data.validation_split, self.splits.validation),
            (data.train_split, self.splits.train),
        ):
            if dataset is not None:
                known.setdefault(key, dataset)  # what is tested on may be called val
        chosen = known.get(name) or known.get(spelled(name, known) or "")
        if chosen is None:
            there = ", ".join(known)
            raise DataError(
                f"the data of {self.run.path} has no split {name!r}: measure on one of {there}, or give --table"
            )
        return chosen, name

    def predictor(self) -> AtScale:
        """The network as it was measured: shown images of any size at that of the recipe's evaluation."""
        return AtScale(self.network, self.tasks, self.recipe.data.shown_size)

    def evaluation_batches(self, dataset: Dataset, on_error: OnError = "fatal") -> Iterable[Batch]:
        """Batches of ``dataset``, images and labels at their own size; all of it, unless broken files are skipped."""
        data = self.recipe.data
        return evaluation_loader(
            dataset,
            evaluation(),
            batch_size=self.recipe.training.batch_size,
            workers=data.workers,
            timeout=data.timeout,
            on_error=on_error,
        )


def load_run(path: str | Path, weights: str | None = None, trust: bool = False) -> TrainedRun:
    """What was trained in the run directory ``path``.

    Args:
        weights: best or last; best where there is one for None.
        trust: run the code that the run's recipe names by ``class_path``; such a run is refused otherwise.

    Raises:
        UserError: there is no run or no checkpoint, or the weights do not fit the recipe.
    """
    run = Run(path)
    run.require()
    recipe = Recipe.stored(run.recipe_path, trust=trust)
    tasks = recipe.tasks()
    network = recipe.network(tasks, trained=True)
    chosen = weights or ("best" if run.checkpoints.has("best") else "last")
    file = run.checkpoints.find(chosen) / "network.safetensors"
    try:
        network.load_state_dict(load_weights(file))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{file} does not fit the recipe of the run: {reason}") from error
    return TrainedRun(run, recipe, tasks, network.eval(), chosen)
