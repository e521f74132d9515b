"""Cells, folders and recipes."""

from __future__ import annotations

import json

import pytest

from crosstask.compare.cell import RESULTS
from crosstask.compare.grid import Cell, Grid, Recipes
from crosstask.compare.plan import check, plan
from crosstask.entries import parse_methods
from crosstask.errors import DataError, RecipeError, UserError
from crosstask.recipe.written import read_recipe
from crosstask.splits import load_splits
from crosstask.training.fingerprint import FILE, digests
from tests.compare.made import grid
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    return write_recipe(folder, write_tiny(folder))


def recipes(data, path, methods="pairwise,single", labels=("one", "full"), seeds=(0, 1), overrides=()) -> Recipes:
    raw = read_recipe(data, overrides)
    return Recipes(raw, Grid.product(path, parse_methods(methods, raw), labels, seeds, "crosstask compare x"))


def test_the_product_seed_by_seed():
    cells = grid(["supervised", "a"], ["one", "full"], [0, 1]).cells
    assert cells[:3] == [Cell("supervised", "one", 0), Cell("a", "one", 0), Cell("supervised", "full", 0)]
    assert len(set(cells)) == 8
    assert {cell.seed for cell in cells[:4]} == {0}


def test_a_cell_sets_labels_and_seeds_and_nothing_else(data, tmp_path):
    made = recipes(data, tmp_path)
    base, found = made.base.sections, made.of(Cell("pairwise", "one", 7)).sections
    assert list(found["objectives"]) == ["supervised", "pairwise"]
    assert (found["data"]["labels"], found["data"]["labels_seed"], found["training"]["seed"]) == ("one", 7, 7)
    reset = {"data": {**found["data"], "labels_seed": 0}, "training": {**found["training"], "seed": 0}}
    assert {**found, **reset, "objectives": base["objectives"]} == base


def test_an_objective_keeps_the_options_of_the_recipe(data, tmp_path):
    typed = ["--objectives.pairwise.weight", "2", "--objectives.pairwise.stem", "4", "--objectives.supervised", "{}"]
    found = recipes(data, tmp_path, overrides=typed).of(Cell("pairwise", "one", 0)).sections["objectives"]
    assert (found["pairwise"]["weight"], found["pairwise"]["stem"]) == (2.0, 4)
    assert list(recipes(data, tmp_path, overrides=typed).of(Cell("supervised", "one", 0)).sections["objectives"]) == [
        "supervised"
    ]


def test_a_patch_is_laid_over_the_recipe_beside_supervised(data, tmp_path):
    patch = tmp_path / "strong.yaml"
    patch.write_text("objectives: {pairwise: {weight: 3}}\ntraining: {lr: 0.5}")
    found = recipes(data, tmp_path, methods=str(patch)).of(Cell("strong", "one", 0)).sections
    assert list(found["objectives"]) == ["supervised", "pairwise"]
    assert (found["objectives"]["pairwise"]["weight"], found["training"]["lr"]) == (3.0, 0.5)


def test_single_tasks_get_the_labels_that_all_tasks_together_get(data, tmp_path):
    made = recipes(data, tmp_path)
    check(made, made.grid.cells)
    whole = made.of(Cell("supervised", "one", 1))
    together = load_splits(whole.data, whole.tasks()).labels.rows
    for task in made.tasks:
        recipe = made.of(Cell("single", "one", 1), task)
        assert list(recipe.sections["tasks"]) == [task]
        alone = load_splits(recipe.data, recipe.tasks()).labels.rows
        assert [row["id"] for row in alone if row[task]] == [row["id"] for row in together if row[task]]


def test_plan_leaves_out_what_is_finished(data, tmp_path):
    made = recipes(data, tmp_path, labels=("one",), seeds=(0,))
    jobs = plan(made, made.grid.cells)
    assert [job.path.relative_to(tmp_path / "runs").as_posix() for job in jobs] == [
        "supervised/one/seed0",
        "pairwise/one/seed0",
        *(f"single/one/seed0/{task}" for task in ("semantic", "depth", "normals", "tags", "place")),
    ]
    jobs[1].path.mkdir(parents=True)
    (jobs[1].path / RESULTS).write_text("{}")
    assert [job.path for job in plan(made, made.grid.cells)] == [job.path for job in (jobs[0], *jobs[2:])]


def test_the_folder_remembers_the_grid(tmp_path):
    first, more = grid(["supervised"], ["one"], [0], tmp_path), grid(["supervised", "a"], ["one"], [0, 1], tmp_path)
    first.save()
    more.joined(Grid.load(tmp_path)).save()
    found = Grid.load(tmp_path)
    assert found.cells == more.cells
    assert list(found.methods) == ["supervised", "a"]
    assert json.loads((tmp_path / "grid.json").read_text())["command"] == "crosstask compare made.yaml"
    other = grid(["a"], ["one"], [0], tmp_path)
    other.methods["a"].patches[0]["objectives"] = ["b"]
    with pytest.raises(RecipeError, match="'a' stood for other options"):
        other.joined(found)
    (tmp_path / "grid.json").write_text('{"methods": [{"name": "a", "patch": {}}], "cells": [], "command": ""}')
    with pytest.raises(UserError, match=r"methods\[0\]\.entry: missing"):
        Grid.load(tmp_path)
    with pytest.raises(UserError, match="is not a comparison"):
        Grid.load(tmp_path / "nothing")


def test_another_recipe_is_refused_by_the_key_that_differs(data, tmp_path):
    recipes(data, tmp_path).record()
    recipes(
        data, tmp_path, overrides=["--data.labels", "random", "--training.seed", "3"]
    ).record()  # the grid sets these
    with pytest.raises(RecipeError, match=r"training\.lr was 0\.001, is 0\.5\): choose another --out"):
        recipes(data, tmp_path, overrides=["--training.lr", "0.5"]).record()


def test_data_without_a_test_split_cannot_be_compared_on(data, tmp_path):
    made = recipes(data, tmp_path, overrides=["--data.test_split", "gone"])
    with pytest.raises(DataError, match="no split 'gone' to compare on"):
        check(made, made.grid.cells)


def test_a_method_that_cannot_be_built_is_told_before_anything_is_trained(data, tmp_path):
    patch = tmp_path / "teacher.yaml"
    patch.write_text("objectives: {supervised: {}, mean_teacher: {only: [depth, poses]}}")
    made = recipes(data, tmp_path / "out", f"pairwise,{patch}")
    with pytest.raises(RecipeError, match=r"teacher\.yaml: objectives\.mean_teacher\.only: there is no task 'poses'"):
        check(made, made.grid.cells, writes=False)


def test_one_device_per_run(data, tmp_path):
    with pytest.raises(RecipeError, match=r"training\.devices"):
        recipes(data, tmp_path, overrides=["--training.devices", "2"])


def test_finished_runs_on_another_table_are_told(data, tmp_path, caplog):
    made = recipes(data, tmp_path / "grid", methods="supervised", labels=("full",), seeds=(0,))
    (path,) = made.grid.runs(made.grid.cells[0], made.tasks).values()
    path.mkdir(parents=True)
    (path / RESULTS).write_text("{}")
    now = digests(made.base.data)
    (path / FILE).write_text(json.dumps({"tables": now}))
    assert plan(made, made.grid.cells) == []
    assert not caplog.text
    (path / FILE).write_text(json.dumps({"tables": dict.fromkeys(now, "another")}))
    assert plan(made, made.grid.cells) == []
    assert "data.csv changed since runs of this comparison were trained" in caplog.text
