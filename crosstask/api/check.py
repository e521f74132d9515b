"""A look at a table before any training, from a script or a notebook."""

from __future__ import annotations

from pathlib import Path

from crosstask.data.check.check import Report
from crosstask.data.check.check import check as check_table
from crosstask.data.table.table import Table, read_table


def check(
    table: str | Path | Table, recipe: str | Path | None = None, *, workers: int = 0, trust: bool = False
) -> Report:
    """Open every file of a table and say what is labelled, broken or mis-specified::

        report = crosstask.check("data.csv")
        report.errors  # what should stop a training; print(report) shows all of it

    Args:
        table: the table, or its file.
        recipe: take the tasks from this recipe; guessed from the columns for None.
        workers: processes that open files; 0 for this one alone.
        trust: run code that the recipe names by ``class_path``; refused otherwise.

    Raises:
        DataError: the table cannot be read.
        RecipeError: the recipe is not valid.
    """
    opened = table if isinstance(table, Table) else read_table(table)
    if recipe is None:
        return check_table(opened, workers=workers)
    from crosstask.recipe import Recipe

    read = Recipe.load(recipe, ["--data.table", str(opened.path)], trust)
    return check_table(
        opened, read.tasks(), training=read.data.train_split, workers=workers, confined=read.data.confined
    )
