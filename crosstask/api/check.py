"""A look at a table before any training, from a script or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosstask.data.check.check import check as check_table
from crosstask.data.check.report import Report
from crosstask.data.table.sources import read_like, readers
from crosstask.data.table.table import Table, read_table
from crosstask.engine import Engine


def check(
    table: str | Path | Table,
    recipe: str | Path | Mapping[str, Any] | None = None,
    *,
    workers: int = 0,
    trust: bool = False,
) -> Report:
    """Open every file of a table and say what is labelled, broken or mis-specified::

        report = crosstask.check("data.csv")
        report.errors  # what should stop a training; print(report) shows all of it

    Args:
        table: the table, or its file.
        recipe: take the tasks, splits and conventions from this recipe (a file, the name of a shipped one, its
            values); tasks guessed from the columns for None.
        workers: processes that open files; 0 for this one alone.
        trust: run code that the recipe names by ``class_path``; refused otherwise.

    Raises:
        DataError: the table cannot be read.
        RecipeError: the recipe is not valid.
    """
    if recipe is None:
        return check_table(table if isinstance(table, Table) else read_table(table), engine=Engine(workers=workers))
    from crosstask.recipe import Recipe

    read = Recipe.of(dict(recipe), trust) if isinstance(recipe, Mapping) else Recipe.load(recipe, trust=trust)
    data, tasks = read.data, read.tasks()
    return check_table(
        table if isinstance(table, Table) else read_like(table, data.table),
        tasks,
        training=data.train_split,
        validation=data.validation_split,
        test=data.test_split,
        engine=Engine(workers=workers),
        confined=data.confined,
        readers=readers(data.table, tasks),
    )
