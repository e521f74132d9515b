"""What is left to do of a grid, and whether it can be done, before anything is trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from crosstask.compare.cell import finished
from crosstask.compare.grid import Cell, Recipes
from crosstask.compare.pool import Job
from crosstask.entries import SUPERVISED
from crosstask.errors import DataError, RecipeError
from crosstask.splits import Splits, load_splits
from crosstask.training.fingerprint import FILE, changed_tables, digests
from crosstask.training.run import Run
from crosstask.writing import write

log = logging.getLogger(__name__)


def plan(recipes: Recipes, cells: Sequence[Cell]) -> list[Job]:
    """The runs of these cells that are not finished; says where those that are were trained on another table."""
    for path in changed_since(recipes, cells):
        log.warning(
            "%s: %s changed since runs of this comparison were trained, whose numbers are those of other data: choose "
            "another --out to train all of them anew", recipes.grid.path, path,
        )  # fmt: skip
    return [
        Job(recipes.of(cell, task), path, f"{cell}, {task} alone" if task else str(cell))
        for cell in cells
        for task, path in recipes.grid.runs(cell, recipes.tasks).items()
        if not finished(path)
    ]


def changed_since(recipes: Recipes, cells: Sequence[Cell]) -> list[str]:
    """The tables that are not what they were when finished runs of these cells were begun."""
    now = digests(recipes.base.data)
    runs = (path for cell in cells for path in recipes.grid.runs(cell, recipes.tasks).values() if finished(path))
    stored = (Run(path).read_json(FILE) for path in runs)
    return sorted({name for each in stored if isinstance(each, dict) for name in changed_tables(each, now)})


def states(recipes: Recipes, cells: Sequence[Cell]) -> list[dict[str, str]]:
    """What :func:`plan` would do with each run of the cells: nothing (it is finished), continue it, or train it."""
    return [
        {
            "run": str(path),
            "method": cell.method,
            "labels": cell.labels,
            "seed": str(cell.seed),
            "task": task or "",
            "to do": "nothing" if finished(path) else "continue" if (path / "checkpoints").is_dir() else "train",
        }
        for cell in cells
        for task, path in recipes.grid.runs(cell, recipes.tasks).items()
    ]


def check(recipes: Recipes, cells: Sequence[Cell], writes: bool = True) -> None:
    """Build what every method trains, read the data as every setting and seed has it, and write down (where it
    ``writes``) which labels the runs of single tasks get.

    Raises:
        DataError: the data cannot be used, or has no test split.
        RecipeError: a method cannot be built, or a label setting is not valid.
    """
    for cell in {cell.method: cell for cell in cells}.values():
        for task in recipes.grid.runs(cell, recipes.tasks):
            try:
                recipes.of(cell, task).rehearse()
            except RecipeError as error:
                raise RecipeError(f"{recipes.grid.methods[cell.method].entry}: {error}") from error
    for labels, seed in dict.fromkeys((cell.labels, cell.seed) for cell in cells):
        recipe = recipes.of(Cell(SUPERVISED, labels, seed))
        splits = load_splits(recipe.data, recipe.tasks())
        if splits.test is None:
            raise DataError(
                f"there is no split {recipe.data.test_split!r} to compare on: name one with data.test_split, or mark "
                "rows of the table in its column 'split'"
            )
        if writes and any(recipes.grid.methods[cell.method].single for cell in cells):
            _write_lists(recipes, splits, labels, seed)


def _write_lists(recipes: Recipes, splits: Splits, labels: str, seed: int) -> None:
    file = recipes.grid.lists(labels, seed)
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = splits.labels.rows
    kept = {task: [row["id"] for row in rows if row.get(task)] for task in recipes.tasks}
    write(file, json.dumps(kept).encode())
