"""Train, label the training images anew, train again: the rounds of AuxSegNet (arXiv 2107.11787).

Each step is finished, or can be continued: a run from its last checkpoint, labels from the last image.
"""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from crosstask.data.table.blanks import without_blanks
from crosstask.data.table.table import read_table, write_table
from crosstask.recipe import Recipe
from crosstask.rounds.given import given_labels
from crosstask.rounds.intake import HIDDEN, take_in
from crosstask.rounds.labeller import Labeller
from crosstask.rounds.labels import training_rows, write_labels
from crosstask.rounds.layout import Layout
from crosstask.rounds.quality import LabelQuality, measure_labels
from crosstask.rounds.recipes import classifier_recipe, round_recipe
from crosstask.rounds.roles import Roles
from crosstask.rounds.saliency import add_saliency, saliency_model
from crosstask.rounds.steps import Means, Rounds
from crosstask.splits import load_table
from crosstask.trained import load_run
from crosstask.writing import write


class Refinement(Rounds):
    """Rounds from tags to a segmentation; arguments and errors as those of :class:`~crosstask.rounds.steps.Rounds`."""

    reads = (
        "stop", "tasks", "classifier", "classifier_recipe", "saliency", "saliency_from", "masks", "cam", "salient",
        "boundary", "hard",
    )  # fmt: skip

    def __init__(self, recipe: Recipe, layout: Layout, means: Means) -> None:
        super().__init__(recipe, layout, means)
        self.roles = Roles.of(recipe.tasks())
        classifier_recipe(recipe, self.roles, layout.table).rehearse()
        round_recipe(recipe, self.roles, layout.labels(0), self._before(0)).rehearse()
        self.source = self._source()
        if self.options.saliency_from is not None and "saliency" not in self.record.done:
            saliency_model(self.options.saliency_from, self.device, recipe.trust)
        if self.options.classifier is not None and "labels_0" not in self.record.done:
            self._labeller(0)

    @override
    def take(self) -> str:
        self.once("table", self._take_in)
        if self.options.saliency_from is not None:
            self.once("saliency", self._add_saliency)
        if self.options.classifier is None:
            self.once("classifier", self._train_classifier)
        for number in range(self.options.rounds + 1):
            self.once(f"labels_{number}", self._label, number)
            if number and self._unchanged(number):
                return "unchanged"
            self.once(f"round_{number}", self._train, number)
        return "finished"

    # -- steps -----------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        tasks, data = self.recipe.tasks(), self.recipe.data
        given, _ = without_blanks(load_table(data), tasks, {})
        source = None if self.options.saliency_from and self.source not in given.columns else self.source
        with self.progress("looking at the table") as report:
            found = take_in(given, data, self.roles, source, self.options.masks, report)
        write(self.layout.notes, found.csv())
        write_table(given_labels(found.table, data, tasks), self.layout.table)
        for line in found.summary():
            self.say(f"{line}: see {self.layout.notes}")

    def _add_saliency(self) -> None:
        assert self.options.saliency_from is not None
        assert self.source is not None
        predict = saliency_model(self.options.saliency_from, self.device, self.recipe.trust)
        with self.progress("predicting saliency") as report:
            write_table(add_saliency(self.base(), self.recipe.data, self.source, predict, self.device, report))

    def _train_classifier(self) -> None:
        self.say("stage 0: a classifier of the tags")
        self.fit(classifier_recipe(self.recipe, self.roles, self.layout.table), self.layout.classifier)

    def _label(self, number: int) -> None:
        labeller = self._labeller(number)
        folder = self.layout.labels(number).parent
        with self.progress(f"labels of round {number}") as report:
            faults = write_labels(
                self.base(), self.recipe.data, self.roles, self.source, labeller, folder, report, self.engine
            )
        for name, fault in faults.items():
            self.say(f"row {name!r} is left without pseudo-labels: {fault}")
        self.record.labelled(number, self.layout.relative(self.layout.labels(number)), self._quality(number))

    def _train(self, number: int) -> None:
        self.say(f"round {number}")
        path = self.layout.round(number)
        self.fit(round_recipe(self.recipe, self.roles, self.layout.labels(number), self._before(number)), path)
        self.measure(number, path)

    def _labeller(self, number: int) -> Labeller:
        run = load_run(self._before(number), trust=self.recipe.trust)
        return Labeller(run, self.roles, self.source, self.options, self.device)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _quality(self, number: int) -> LabelQuality:
        """Of the rows that had no label of their own."""
        base, task = self.base(), self.roles.segmentation
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

    def _before(self, number: int) -> Path:
        """The run whose network labels the images of a round, and whose weights the round starts from."""
        if number:
            return self.layout.round(number - 1)
        return Path(self.options.classifier) if self.options.classifier is not None else self.layout.classifier
