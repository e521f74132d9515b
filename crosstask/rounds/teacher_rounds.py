"""Rounds for any task: train on the labels there are, let teachers fill the blank cells, train on all of them, again.

Round 0 learns from the given labels alone; it is left out where no teacher is a network of these rounds. Labels of
round k are made by the teachers of :mod:`~crosstask.rounds.teachers.choice`, networks of the rounds before among them.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from typing_extensions import override

from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.rounds.crossfit import folds, joined, without_fold
from crosstask.rounds.given import given_labels
from crosstask.rounds.layout import Layout
from crosstask.rounds.pseudo import write_pseudo_labels
from crosstask.rounds.recipes import given_recipe, reader_recipe, student_recipe, with_seed
from crosstask.rounds.selection import share_of_round
from crosstask.rounds.steps import Means, Rounds
from crosstask.rounds.teachers.base import Trusted
from crosstask.rounds.teachers.choice import Choice
from crosstask.rounds.teachers.network import NetworkTeacher
from crosstask.splits import load_table
from crosstask.trained import load_run


class TeacherRounds(Rounds):
    """Arguments and errors as those of :class:`~crosstask.rounds.steps.Rounds`."""

    reads = ("teachers", "snapshots", "networks", "folds", "flip", "scales", "keep", "student", "start")

    def __init__(self, recipe: Recipe, layout: Layout, means: Means) -> None:
        super().__init__(recipe, layout, means)
        self.tasks = recipe.tasks()
        self.choice = Choice.of(recipe, self.tasks)
        student = student_recipe(recipe, layout.labels(1), None)
        self.alike = student.sections["network"] == recipe.sections["network"]
        given_recipe(recipe, layout.table).rehearse()
        student.rehearse()
        if self.choice.reading:
            self._rehearse_reader()
        if any(f"labels_{number}" not in self.record.done for number in range(1, self._last + 1)):
            self.choice.require()

    def _rehearse_reader(self) -> None:
        try:
            reader_recipe(self.recipe, self.layout.table).rehearse()
        except RecipeError as error:
            raise RecipeError(
                f"refine.teachers: {error} (a teacher that reads labels is trained by supervised and read_labels alone)"
            ) from error

    @override
    def take(self) -> str:
        self.once("table", self._take_in)
        if self.choice.own:
            for network in range(self._networks(0)):
                self.once(self.layout.round(0, network).name, self._train_given, network)
        if self.choice.reading:
            self._learn_to_read()
        for number in range(1, self._last + 1):
            self.once(f"labels_{number}", self._label, number)
            for network in range(self._networks(number)):
                self.once(self.layout.round(number, network).name, self._train, number, network)
        return "finished"

    @property
    def _last(self) -> int:
        """The last round: teachers from outside would say the same again."""
        return self.options.rounds if self.choice.own else 1

    def _networks(self, number: int) -> int:
        """How many networks a round trains: one where nobody learns from them."""
        return self.options.networks if number < self._last else 1

    def _take_in(self) -> None:
        data = self.recipe.data
        write_table(given_labels(load_table(data), data, self.tasks), self.layout.table)

    def _train_given(self, network: int) -> None:
        self.say(f"round 0 of {self.options.rounds}{self._which(0, network)}: the labels there are")
        self._fit(given_recipe(self.recipe, self.layout.table), 0, network)

    def _which(self, number: int, network: int) -> str:
        count = self._networks(number)
        return f", network {network + 1} of {count}" if count > 1 else ""

    def _fit(self, recipe: Recipe, number: int, network: int) -> None:
        """Train a network of a round; the first is measured."""
        path = self.layout.round(number, network)
        self.fit(with_seed(recipe, recipe.training.seed + network), path)
        if not network:
            self.measure(number, path)

    def _learn_to_read(self) -> None:
        """A run that reads labels: on given ones, and on what networks say that have seen none of an image's labels."""
        for number in range(self.options.folds):
            self.once(f"fold_{number}", self._train_fold, number)
            self.once(f"fold_{number}/labels", self._label_fold, number)
        self.once("reader", self._train_reader)

    def _fold(self, number: int) -> Path:
        return self.layout.folder / "crossfit" / f"fold_{number}"

    def _folds(self, base: Table) -> dict[str, int]:
        return folds(base, self.recipe.data, list(self.tasks), self.options.folds)

    def _train_fold(self, number: int) -> None:
        self.say(f"fold {number + 1} of {self.options.folds}: a network that has seen none of its images' labels")
        base = self.base()
        fold = self._folds(base)
        table = self._fold(number).with_suffix(".csv")
        write_table(without_fold(base, list(self.tasks), fold, number), table)
        self.fit(given_recipe(self.recipe, table), self._fold(number))

    def _label_fold(self, number: int) -> None:
        base, data, path = self.base(), self.recipe.data, self._fold(number)
        fold = self._folds(base)
        part = base.only({name for name, place in fold.items() if place == number})
        run = load_run(path, trust=self.recipe.trust)
        teacher = NetworkTeacher(run, list(self.tasks.values()), (1.0,), False, self.device)
        teachers = {name: [Trusted(teacher)] for name in self.tasks}
        with self.progress(f"labels out of fold {number + 1}") as report:
            write_pseudo_labels(
                part, data, self.tasks, teachers, path.with_name(f"labels_{number}"), 1.0, report, self.engine
            )

    def _train_reader(self) -> None:
        self.say("a network that reads the labels an image has")
        base, count = self.base(), self.options.folds
        table = self.layout.folder / "crossfit" / "table.csv"
        parts = [read_table(self._fold(number).with_name(f"labels_{number}") / "table.csv") for number in range(count)]
        fold = self._folds(base) if count else {}
        write_table(joined(base, parts, fold, list(self.tasks)), table)
        self.fit(reader_recipe(self.recipe, table), self.layout.folder / "reader")

    def _label(self, number: int) -> None:
        rounds = [
            [self.layout.round(earlier, network) for network in range(self._networks(earlier))]
            for earlier in reversed(range(number))
        ]
        base, data, folder = self.base(), self.recipe.data, self.layout.labels(number).parent
        with self.progress(f"looking at the teachers of round {number}") as report:
            reader = self.layout.folder / "reader" if self.choice.reading else None
            recent = list(chain.from_iterable(rounds[: self.options.snapshots]))
            teachers = self.choice.teachers(recent, base, self.device, folder, report, reader)
        for line in self.choice.said:
            self.say(line)
        share = share_of_round(self.options.keep, number)
        with self.progress(f"labels of round {number}") as report:
            made = write_pseudo_labels(base, data, self.tasks, teachers, folder, share, report, self.engine)
        for name, fault in made.faults.items():
            self.say(f"row {name!r} is left without pseudo-labels: {fault}")
        self.record.labelled(number, self.layout.relative(self.layout.labels(number)), made.counts)

    def _train(self, number: int, network: int) -> None:
        which = self._which(number, network)
        self.say(f"round {number} of {self.options.rounds}{which}: the labels there are and those of the teachers")
        recipe = student_recipe(self.recipe, self.layout.labels(number), self._start(number, network))
        self._fit(recipe, number, network)

    def _start(self, number: int, network: int) -> Path | None:
        """The run whose weights a student goes on with: None where there is none, or one of another network."""
        there = self.options.start == "last" and (number > 1 or (self.choice.own and self.alike))
        return self.layout.round(number - 1, network) if there else None
