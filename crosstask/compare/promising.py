"""Which methods of a grid are worth training: those that agree with the labels hidden from a supervised run."""

from __future__ import annotations

from crosstask.alignment.align import Progress, align
from crosstask.alignment.recipes import with_hidden
from crosstask.alignment.rows import Row, without_signal
from crosstask.alignment.table import FILE, read, to_json
from crosstask.compare.grid import Cell, Grid, Recipes
from crosstask.device import device
from crosstask.entries import FULL, SINGLE, SUPERVISED
from crosstask.errors import RecipeError
from crosstask.trained import load_run

BASELINES = (SUPERVISED, SINGLE)


def references(grid: Grid) -> list[Cell]:
    """The supervised cells that methods are aligned with: the first seed of each label setting that hides labels.

    Raises:
        RecipeError: no setting hides any.
    """
    cells = {
        cell.labels: cell for cell in reversed(grid.cells) if cell.method == SUPERVISED and cell.labels not in FULL
    }
    if not cells:
        raise RecipeError("--align-first: no label is hidden where all are used: ask for --labels one, say")
    return list(cells.values())


def align_grid(recipes: Recipes, reference: Cell, progress: Progress | None = None) -> list[Row]:
    """The alignment of the grid's candidates with a finished supervised run; kept in the run, and read from there.

    Raises:
        RecipeError: see :func:`~crosstask.alignment.align.align`.
    """
    path = recipes.grid.folder(reference)
    candidates = [name for name in recipes.grid.methods if name not in BASELINES and _has_objective(recipes, name)]
    if not candidates:
        return []
    if (path / FILE).exists():
        rows = [row for row in read(path / FILE) if row.method in candidates]
        if {row.method for row in rows} == set(candidates):
            return rows
    run = load_run(path, "last", recipes.base.trust)
    own = {name: recipes.of(reference._replace(method=name)).sections for name in candidates}
    rows = align(run.network, with_hidden(run.recipe, own), device=device("auto"), progress=progress)
    run.run.write(FILE, to_json(rows, {"weights": run.weights}))
    return rows


def promising(grid: Grid, rows: list[Row]) -> Grid:
    """The grid without the candidates that agree with no hidden label."""
    idle = without_signal(rows)
    methods = {name: method for name, method in grid.methods.items() if name not in idle}
    return Grid(grid.path, methods, [cell for cell in grid.cells if cell.method not in idle], grid.command)


def _has_objective(recipes: Recipes, method: str) -> bool:
    """Whether there is anything to align: patches may change the network or the balancing alone."""
    return {*recipes.methods[method].sections["objectives"]} > {SUPERVISED}
