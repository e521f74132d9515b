"""Rounds for any task: train on the labels there are, let teachers fill the blank cells, train on all of them, again.

Round 0 learns from the given labels alone; it is left out where no teacher is a network of these rounds. Labels of
round k are made by the teachers of :mod:`~crosstask.rounds.teachers.choice`, networks of the rounds before among them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crosstask.data.labels.protocols import assign
from crosstask.data.labels.splits import load_table
from crosstask.data.table.table import Table, write_table
from crosstask.recipe import Recipe
from crosstask.rounds.labels import training_rows
from crosstask.rounds.layout import Layout
from crosstask.rounds.pseudo import write_pseudo_labels
from crosstask.rounds.recipes import given_recipe, student_recipe
from crosstask.rounds.selection import share_of_round
from crosstask.rounds.steps import Progress, Rounds, Say
from crosstask.rounds.teachers.choice import Choice


class TeacherRounds(Rounds):
    """Arguments and errors as those of :class:`~crosstask.rounds.steps.Rounds`."""

    def __init__(self, recipe: Recipe, layout: Layout, device: str, quiet: bool, progress: Progress, say: Say) -> None:
        super().__init__(recipe, layout, device, quiet, progress, say)
        self.tasks = recipe.tasks()
        self.choice = Choice.of(recipe, self.tasks)
        given_recipe(recipe, layout.table)
        student_recipe(recipe, layout.labels(1), None)

    def take(self) -> str:
        self.once("table", self._take_in)
        if self.choice.own:
            self.once("round_0", self._train_given)
        for number in range(1, max(self.options.rounds, 0 if self.choice.own else 1) + 1):
            if number > 1 and not self.choice.own:
                break  # those from outside would say the same again
            self.once(f"labels_{number}", self._label, number)
            self.once(f"round_{number}", self._train, number)
        return "finished"

    def _take_in(self) -> None:
        given = load_table(self.recipe.data)
        write_table(protocol_table(given, self.recipe, list(self.tasks)), self.layout.table)

    def _train_given(self) -> None:
        self.say(f"round 0 of {self.options.rounds}: the labels there are")
        self.fit(given_recipe(self.recipe, self.layout.table), self.layout.round(0))
        self.measure(0, self.layout.round(0))

    def _label(self, number: int) -> None:
        runs = [self.layout.round(earlier) for earlier in reversed(range(number))]
        base, data, folder = self.base(), self.recipe.data, self.layout.labels(number).parent
        with self.progress(f"looking at the teachers of round {number}") as report:
            teachers = self.choice.teachers(runs[: self.options.snapshots], base, self.device, folder, report)
        for line in self.choice.said:
            self.say(line)
        share = share_of_round(self.options.keep, number)
        with self.progress(f"labels of round {number}") as report:
            made = write_pseudo_labels(base, data, self.tasks, teachers, folder, share, report)
        for name, fault in made.faults.items():
            self.say(f"row {name!r} is left without pseudo-labels: {fault}")
        self.record.labelled(number, self.layout.relative(self.layout.labels(number)), made.counts)

    def _train(self, number: int) -> None:
        self.say(f"round {number} of {self.options.rounds}: the labels there are and those of the teachers")
        path = self.layout.round(number)
        self.fit(student_recipe(self.recipe, self.layout.labels(number), self._start(number)), path)
        self.measure(number, path)

    def _start(self, number: int) -> Path | None:
        there = self.options.start == "last" and (number > 1 or self.choice.own)
        return self.layout.round(number - 1) if there else None


def protocol_table(table: Table, recipe: Recipe, tasks: list[str]) -> Table:
    """The table with the training labels that the protocol of the recipe drops made blank, and a column per task."""
    data = recipe.data
    columns = (*table.columns, *(name for name in tasks if name not in table.columns))
    rows = training_rows(table, data)
    train = replace(table, columns=columns, rows=[table.rows[index] for index in rows])
    given = train.given(tasks)
    keep = assign(given, data.labels, data.labels_seed, train.ids, tasks) | (train.coverage(tasks) & ~given)
    kept = dict(zip(rows, train.masked(tasks, keep).rows, strict=True))
    return replace(table, columns=columns, rows=[kept.get(index, row) for index, row in enumerate(table.rows)])
