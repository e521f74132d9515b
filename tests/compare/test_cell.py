"""A run of a comparison, done in this process."""

from __future__ import annotations

import json

import pytest
import torch

from crosstask.claims import claimed
from crosstask.compare.cell import RESULTS, finished, run_cell
from crosstask.compare.measured import read_cost
from crosstask.errors import RecipeError
from crosstask.evaluation.results import Results
from crosstask.recipe import Recipe
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    folder = tmp_path_factory.mktemp("cell")
    return Recipe.load(write_recipe(folder, write_tiny(folder)))


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "one" / "seed0"
    assert run_cell(recipe, path) == "finished"
    return path


def test_a_run_is_measured_with_its_last_weights(run):
    results = Results.load(run / RESULTS)
    assert results.settings == {"split": "test", "weights": "last"}
    assert results.images == 2
    cost = read_cost(Run(run))
    lines = [record for record in Run(run).records() if record["kind"] == "train"]
    assert cost.memory == max(line["peak_memory"] for line in lines) > 10**8
    assert cost.seconds in {line["seconds_per_step"] for line in lines[1:]}


def test_what_is_left_to_do_is_done_and_no_more(recipe, run):
    log, results = (run / "metrics.jsonl").read_bytes(), (run / RESULTS).read_text()
    assert run_cell(recipe, run) == "finished"
    (run / RESULTS).unlink()  # stopped while it was measured
    assert not finished(run)
    assert run_cell(recipe, run) == "finished"
    assert (run / RESULTS).read_text() == results
    assert (run / "metrics.jsonl").read_bytes() == log


def test_two_processes_do_not_work_on_one_run(recipe, tmp_path):
    with claimed(tmp_path / ".run.lock") as first:
        assert first
        assert run_cell(recipe, tmp_path / "run") == "busy"
    assert not (tmp_path / "run").exists()


def test_the_run_of_another_recipe_is_refused(recipe, run):
    sections = json.loads(json.dumps(recipe.sections))
    sections["training"]["lr"] = 0.5
    (run / RESULTS).rename(run / "aside.json")
    try:
        with pytest.raises(
            RecipeError, match=r"seed0 holds a run of another recipe \(training\.lr was 0\.001, is 0\.5"
        ):
            run_cell(Recipe(sections), run)
    finally:
        (run / "aside.json").rename(run / RESULTS)


def test_a_run_of_a_comparison_is_an_ordinary_one(recipe, run, tmp_path):
    from crosstask.experiment import Experiment
    from crosstask.trained import load_run

    Experiment(recipe, tmp_path / "alone", quiet=True).fit()
    alone, compared = (load_run(path, "last").network.state_dict() for path in (tmp_path / "alone", run))
    for name, value in alone.items():
        assert torch.equal(value, compared[name])
