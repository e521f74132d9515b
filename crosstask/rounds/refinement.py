"""Train, label the training images anew, train again: the rounds of AuxSegNet (arXiv 2107.11787).

Each step is finished, or can be continued: a run from its last checkpoint, labels from the last image.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from crosstask.data.labels.splits import load_table
from crosstask.data.table.sources import sources
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import RecipeError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.rounds.intake import HIDDEN, take_in
from crosstask.rounds.labeller import Labeller
from crosstask.rounds.labels import training_rows, write_labels
from crosstask.rounds.layout import Layout
from crosstask.rounds.measure import measure_run
from crosstask.rounds.quality import LabelQuality, measure_labels
from crosstask.rounds.recipes import classifier_recipe, round_recipe
from crosstask.rounds.record import Record
from crosstask.rounds.roles import Roles
from crosstask.rounds.saliency import add_saliency, saliency_model
from crosstask.trained import load_run
from crosstask.writing import write

Progress = Callable[[str], AbstractContextManager[Callable[[int, int | None], object]]]
"""What is being done -> a context whose value is called with (done, in all)."""
Say = Callable[[str], object]


class Interrupted(Exception):
    """A training was interrupted; everything so far is on disk."""


class Refinement:
    """The rounds of a recipe in a folder; see :mod:`~crosstask.rounds.layout`.

    Args:
        recipe: data with tags, a network, and what it says under ``refine``.
        layout: the folder.
        device: where images are labelled and networks measured.
        quiet: show no progress of trainings.
        progress: shows that of everything else.
        say: called with a line of text, for people.

    Raises:
        RecipeError: the recipe cannot be refined.
    """

    def __init__(self, recipe: Recipe, layout: Layout, device: str, quiet: bool, progress: Progress, say: Say) -> None:
        self.recipe, self.options, self.layout = recipe, recipe.refine, layout
        self.device, self.quiet, self.progress, self.say = device, quiet, progress, say
        if recipe.data.table is None:
            raise RecipeError("data.rooms: refine works on a table: write the rooms to files with 'crosstask rooms'")
        if recipe.training.devices != 1:
            raise RecipeError(f"training.devices: refine trains on one device, found {recipe.training.devices}")
        self.roles = Roles.of(recipe.tasks())
        round_recipe(recipe, self.roles, layout.labels(0), self._before(0))
        self.source = self._source()
        self.record = Record.load(layout.record)

    def run(self) -> Record:
        """Take all steps that are left.

        Raises:
            Interrupted: a training was interrupted.
            UserError: see the steps.
        """
        if self.record.status != "running":
            return self.record
        self._once("table", self._take_in)
        if self.options.saliency_from is not None:
            self._once("saliency", self._add_saliency)
        if self.options.classifier is None:
            self._once("classifier", self._train_classifier)
        for number in range(self.options.rounds + 1):
            self._once(f"labels_{number}", self._label, number)
            if number and self._unchanged(number):
                self.record.finish("end", "unchanged")
                return self.record
            self._once(f"round_{number}", self._train, number)
        self.record.finish("end", "finished")
        return self.record

    # -- steps -----------------------------------------------------------------------------------------------------

    def _once(self, step: str, take: Callable[..., None], *arguments: int) -> None:
        if step not in self.record.done:
            take(*arguments)
            self.record.finish(step)

    def _take_in(self) -> None:
        special = next((source for source in sources(self.recipe.data.table) if source.conventions), None)
        if special is not None:
            raise RecipeError(
                f"{special.where}: {special.path} has conventions of its own, and the labels that rounds write could "
                "not follow them: convert its files, so that all tables store labels alike"
            )
        given = load_table(self.recipe.data)
        source = None if self.options.saliency_from and self.source not in given.columns else self.source
        with self.progress("looking at the table") as report:
            found = take_in(given, self.recipe.data, self.roles, source, self.options.masks, report)
        write(self.layout.notes, found.csv())
        write_table(found.table, self.layout.table)
        for line in found.summary():
            self.say(f"{line}: see {self.layout.notes}")

    def _add_saliency(self) -> None:
        assert self.options.saliency_from is not None
        assert self.source is not None
        predict = saliency_model(self.options.saliency_from, self.device, self.recipe.trust)
        with self.progress("predicting saliency") as report:
            write_table(add_saliency(self._base(), self.recipe.data, self.source, predict, self.device, report))

    def _train_classifier(self) -> None:
        self.say("stage 0: a classifier of the tags")
        self._fit(classifier_recipe(self.recipe, self.roles, self.layout.table), self.layout.classifier)

    def _label(self, number: int) -> None:
        run = load_run(self._before(number), trust=self.recipe.trust)
        labeller = Labeller(run, self.roles, self.source, self.options, self.device)
        folder = self.layout.labels(number).parent
        with self.progress(f"labels of round {number}") as report:
            faults = write_labels(self._base(), self.recipe.data, self.roles, self.source, labeller, folder, report)
        for name, fault in faults.items():
            self.say(f"row {name!r} is left without pseudo-labels: {fault}")
        self.record.labelled(number, self.layout.relative(self.layout.labels(number)), self._quality(number))

    def _train(self, number: int) -> None:
        self.say(f"round {number}")
        path = self.layout.round(number)
        self._fit(round_recipe(self.recipe, self.roles, self.layout.labels(number), self._before(number)), path)
        with self.progress("measuring") as report:
            self.record.trained(
                number, self.layout.relative(path), measure_run(path, self.device, report, self.recipe.trust)
            )

    # -- parts -----------------------------------------------------------------------------------------------------

    def _fit(self, recipe: Recipe, path: Path) -> None:
        if Experiment(recipe, path, self.quiet, resume="auto").fit().status == "interrupted":
            raise Interrupted

    def _quality(self, number: int) -> LabelQuality:
        """Of the rows that had no label of their own."""
        base, task = self._base(), self.roles.segmentation
        rows = [row for row in training_rows(base, self.recipe.data) if not base.rows[row].get(task.name)]
        masks = self.options.masks
        masks = f"{masks}{HIDDEN}" if masks == task.name else masks
        previous = read_table(self.layout.labels(number - 1)) if number else None
        return measure_labels(read_table(self.layout.labels(number)), rows, task, masks, previous)

    def _unchanged(self, number: int) -> bool:
        changed = self.record.rounds[number]["pseudo_labels"]["changed"]
        return changed is not None and changed <= 100 * self.options.stop

    def _source(self) -> str | None:
        """The column of the given saliency, None where there is none."""
        if self.options.saliency is not None:
            return self.options.saliency or None
        if self.roles.saliency is not None:
            return self.roles.saliency.name
        return "saliency" if self.options.saliency_from is not None else None

    def _base(self) -> Table:
        return read_table(self.layout.table)

    def _before(self, number: int) -> Path:
        """The run whose network labels the images of a round, and whose weights the round starts from."""
        if number:
            return self.layout.round(number - 1)
        return Path(self.options.classifier) if self.options.classifier is not None else self.layout.classifier
