"""What all rounds do alike: steps that are taken once, trainings that continue, networks that are measured."""

from __future__ import annotations

import abc
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from crosstask.claims import claimed
from crosstask.data.table.sources import sources
from crosstask.data.table.table import Table, read_table
from crosstask.engine import Engine
from crosstask.errors import RecipeError, UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.recipe.refine import RefineOptions
from crosstask.rounds.layout import Layout
from crosstask.rounds.measure import measure_run
from crosstask.rounds.record import Record
from crosstask.training.run import Run

Progress = Callable[[str], AbstractContextManager[Callable[[int, int | None], object]]]
"""What is being done -> a context whose value is called with (done, in all)."""
Say = Callable[[str], object]


class Interrupted(Exception):
    """A training was interrupted; everything so far is on disk."""


@dataclass(frozen=True)
class Means:
    """With what rounds are taken.

    Attributes:
        device: where images are labelled and networks measured.
        quiet: show no progress of trainings.
        progress: shows that of everything else.
        say: called with a line of text, for people.
        engine: where images are labelled.
        anyway: continue trainings even where data or recipe changed since.
    """

    device: str
    quiet: bool
    progress: Progress
    say: Say
    engine: Engine
    anyway: bool = False


class Rounds(abc.ABC):
    """The rounds of a recipe in a folder; see :mod:`~crosstask.rounds.layout`.

    Args:
        recipe: data, tasks, a network, and what it says under ``refine``.
        layout: the folder.
        means: with what they are taken.

    Raises:
        RecipeError: the recipe cannot be refined.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """The options of ``refine`` that these rounds read, beside ``by`` and ``rounds``."""

    def __init__(self, recipe: Recipe, layout: Layout, means: Means) -> None:
        self.recipe, self.options, self.layout = recipe, recipe.refine, layout
        self.device, self.quiet, self.engine = means.device, means.quiet, means.engine
        self.progress, self.say, self.anyway = means.progress, means.say, means.anyway
        self._require_read()
        if recipe.data.table is None:
            raise RecipeError("data.rooms: refine works on a table: write the rooms to files with 'crosstask rooms'")
        if recipe.data.confined:
            raise RecipeError(
                "data.confined: rounds write tables in a folder of their own, whose images lie outside it: set it to "
                "false once crosstask check has passed with it"
            )
        special = next((source for source in sources(recipe.data.table) if source.conventions), None)
        if special is not None:
            raise RecipeError(
                f"{special.where}: {special.path} has conventions of its own, and the labels that rounds write could "
                "not follow them: convert its files, so that all tables store labels alike"
            )
        if recipe.training.devices != 1:
            raise RecipeError(f"training.devices: refine trains on one device, found {recipe.training.devices}")
        self.record = Record.load(layout.record)

    def _require_read(self) -> None:
        """Nothing that these rounds do not read is asked for: masks that activations hide, teachers would train on."""
        for name, usual in vars(RefineOptions()).items():
            if name not in ("by", "rounds", *self.reads) and getattr(self.options, name) != usual:
                others = "activations" if "teachers" in self.reads else "teachers"
                raise RecipeError(
                    f"refine.{name}: it is read by rounds of {others} alone, and these are none: leave it out, or set "
                    f"refine.by: {others}"
                )

    def run(self) -> Record:
        """Take all steps that are left.

        Raises:
            Interrupted: a training was interrupted.
            UserError: another process is at work on them, or see the steps.
        """
        with claimed(self.layout.lock) as mine:
            if not mine:
                raise UserError(f"{self.layout.folder}: another process takes these rounds: wait for it, or end it")
            self.record = Record.load(self.layout.record)  # what another process did before
            if self.record.status == "running":
                self.record.finish("end", self.take())
        return self.record

    @abc.abstractmethod
    def take(self) -> str:
        """Take the steps, and say how the rounds ended: finished or unchanged."""

    def once(self, step: str, take: Callable[..., None], *arguments: int) -> None:
        """Take a step unless it was taken."""
        if step not in self.record.done:
            take(*arguments)
            self.record.finish(step)

    def fit(self, recipe: Recipe, path: Path) -> None:
        """Train a run to its end, or continue it to there, and count its steps.

        Raises:
            Interrupted: it was interrupted.
        """
        if Run(path).exists():
            experiment = Experiment.resume(path, self.quiet, recipe.trust, anyway=self.anyway)
        else:
            experiment = Experiment(recipe, path, self.quiet)
        if experiment.fit().status == "interrupted":
            raise Interrupted
        self.record.steps[self.layout.relative(path)] = experiment.plan.iterations()

    def measure(self, number: int, path: Path) -> None:
        """Measure the network of a round on the test split."""
        with self.progress("measuring") as report:
            results = measure_run(path, self.device, report, self.recipe.trust)
        self.record.trained(number, self.layout.relative(path), results)

    def base(self) -> Table:
        """The table without pseudo-labels."""
        return read_table(self.layout.table)
