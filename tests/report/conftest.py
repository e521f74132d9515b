"""A tiny comparison: two methods, two label settings, two seeds; the first seed is trained, the second a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crosstask.compare.cell import run_cell
from crosstask.compare.grid import Cell, Grid, Recipes
from crosstask.data.table.table import read_table, write_table
from crosstask.entries import parse_methods
from crosstask.recipe.written import read_recipe
from tests.tiny import write_recipe, write_tiny

BLANK = "003"
"""A test image without a depth label."""


@pytest.fixture(scope="session")
def comparison(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    table = read_table(write_tiny(folder))
    for row in table.rows:
        if row["id"] == BLANK:
            row["depth"] = ""
    write_table(table)
    raw = read_recipe(write_recipe(folder, table.path))
    methods = parse_methods("pairwise", raw)
    grid = Grid.product(folder / "grid", methods, ["one", "full"], [0, 1], "crosstask compare recipe.yaml")
    recipes = Recipes(raw, grid)
    recipes.record()
    grid.save()
    for cell in (Cell("supervised", "one", 0), Cell("pairwise", "one", 0)):
        run_cell(recipes.of(cell), grid.folder(cell))
        for labels, seed in (("one", 1), ("full", 0), ("full", 1)):
            shutil.copytree(grid.folder(cell), grid.folder(Cell(cell.method, labels, seed)))
    return grid.path


@pytest.fixture(scope="session")
def page(comparison) -> Path:
    from crosstask.report.page import write_report

    return write_report(comparison)
