"""A recipe and a run directory, brought together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from crosstask.recipe import Recipe
from crosstask.training.arithmetic import settled
from crosstask.training.changes import changed, require_same
from crosstask.training.fit import Outcome
from crosstask.training.launch import Resume, launch
from crosstask.training.plan import Plan
from crosstask.training.run import Run
from crosstask.training.runtime import make_fabric
from crosstask.training.together import together


class Experiment:
    """A recipe to be trained into a run directory.

    >>> recipe = Recipe.load("demo")                        # doctest: +SKIP
    >>> experiment = Experiment(recipe, "runs/demo")        # doctest: +SKIP
    >>> experiment.fit()                                    # doctest: +SKIP

    Args:
        recipe: what to train.
        path: the run directory.
        quiet: show no progress.
        resume: ``no``: there must be no run with a checkpoint yet; ``yes``: see :meth:`resume`; ``auto``: continue
            where there is a checkpoint, begin where there is none.
        anyway: continue even where data or recipe changed since.

    Attributes:
        main_process: whether this is the process that writes; known after :meth:`fit`.
    """

    def __init__(
        self, recipe: Recipe, path: str | Path, quiet: bool = False, resume: Resume = "no", anyway: bool = False
    ) -> None:
        self.recipe, self.path, self.quiet = recipe, Path(path), quiet
        self.resuming, self.anyway = resume, anyway
        self.main_process = True

    @cached_property
    def run(self) -> Run:
        """The run directory."""
        return Run(self.path)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        quiet: bool = False,
        trust: bool = False,
        overrides: Sequence[str] = (),
        anyway: bool = False,
    ) -> Experiment:
        """An interrupted run, to be continued by :meth:`fit`; or one to be trained for longer.

        Args:
            path: the run directory.
            quiet: show no progress.
            trust: run the code that its recipe names by ``class_path``.
            overrides: dotted flags laid over its recipe, ``["--training.iterations", "2000"]``; see
                :data:`~crosstask.training.changes.MAY_CHANGE`.
            anyway: continue even where data or recipe changed since.

        Raises:
            UserError: there is no run, or a flag is not valid.
        """
        run = Run(path)
        run.require()
        return cls(changed(Recipe.stored(run.recipe_path, trust=trust), overrides), path, quiet, "yes", anyway)

    @cached_property
    def plan(self) -> Plan:
        """What the run will be.

        Raises:
            UserError: the data cannot be used.
        """
        return Plan.of(self.recipe)

    def fit(self) -> Outcome:
        """Train to the end, or continue to it. See :func:`~crosstask.training.launch.launch`.

        Raises:
            UserError: there is a run already, or none to continue, what would be continued is another run, or the data
                cannot be used.
            RunError: the training failed; the last checkpoint is intact.
        """
        if self.resuming == "yes":
            self.run.require()
        self.recipe, told = settled(self.recipe, self.run.recipe_path)
        if self.resuming == "yes" or (self.resuming == "auto" and self.run.checkpoints.has("last")):
            require_same(Recipe.stored(self.run.recipe_path, self.recipe.trust), self.recipe)
        fabric = make_fabric(self.recipe.training)
        self.main_process = fabric.global_rank == 0
        quiet = self.quiet or not self.main_process
        if told and not quiet:
            print(told, file=sys.stderr)
        with together(fabric):
            return launch(lambda: self.plan, self.run, fabric, self.resuming, self.anyway, quiet)
