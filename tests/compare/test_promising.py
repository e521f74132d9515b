"""``crosstask compare --align-first``."""

from __future__ import annotations

import pytest
import yaml

from crosstask.alignment.rows import Estimate, Row
from crosstask.cli import main
from crosstask.compare.grid import Grid, Recipes
from crosstask.compare.promising import align_grid, promising, references
from crosstask.entries import Method, parse_methods
from crosstask.errors import RecipeError
from crosstask.experiment import Experiment
from tests.alignment.test_align import ROOMS


def grid(tmp_path, *labels):
    methods = {name: Method(name, name, []) for name in ("supervised", "single", "geometry", "pairwise")}
    return Grid.product(tmp_path, methods, labels, [3, 4])


def row(method, mean, error=0.01):
    value = Estimate(mean, error, 9)
    return Row(method, "depth", "predictions", value, Estimate(0.0, 0.01, 9), value)


def test_baselines_and_what_has_signal_are_kept(tmp_path):
    kept = promising(grid(tmp_path, "one", "full"), [row("geometry", 0.1), row("pairwise", 0.01)])
    assert list(kept.methods) == ["supervised", "single", "geometry"]
    assert {cell.method for cell in kept.cells} == set(kept.methods)


def test_what_nothing_is_known_of_is_trained(tmp_path):
    value, none = Estimate(0.4, 0.01, 9), Estimate.of([])
    rows = [Row("geometry", "depth", "predictions", value, none, none), row("pairwise", 0.01)]
    assert list(promising(grid(tmp_path, "one"), rows).methods) == ["supervised", "single", "geometry"]


def test_methods_without_an_objective_are_not_aligned_and_trust_holds(tmp_path):
    (tmp_path / "own.yaml").write_text(
        "objectives: {own: {class_path: crosstask.objectives.pairwise.PairwiseConsistency}}"
    )
    base = yaml.safe_load(ROOMS.replace("LABELS", "one"))
    entries = f"single,pcgrad,{tmp_path}/own.yaml"
    asked = Grid.product(tmp_path / "grid", parse_methods(entries, base), ["one"], [0])
    recipes = Recipes(base, asked, trust=True)
    recipes.record()
    (cell,) = references(asked)
    Experiment(recipes.of(cell), asked.folder(cell), quiet=True).fit()
    assert {row.method for row in align_grid(recipes, cell)} == {"own"}
    without = Grid.product(tmp_path / "grid", parse_methods("single,pcgrad", base), ["one"], [0])
    assert align_grid(Recipes(base, without), cell) == []


def test_the_reference_is_the_first_seed_of_each_setting_that_hides_labels(tmp_path):
    cells = references(grid(tmp_path, "one", "full", "random"))
    assert {(cell.method, cell.labels, cell.seed) for cell in cells} == {
        ("supervised", "one", 3),
        ("supervised", "random", 3),
    }
    with pytest.raises(RecipeError, match="no label is hidden"):
        references(grid(tmp_path, "full"))


@pytest.mark.slow
def test_a_comparison_leaves_out_what_does_not_agree(tmp_path, capsys):
    recipe = tmp_path / "rooms.yaml"
    recipe.write_text(ROOMS.replace("LABELS", "one"))
    (tmp_path / "idle.yaml").write_text("objectives: {supervised: {}, pairwise: {weight: 0.0}}")
    words = ["compare", str(recipe), "--objectives", f"geometry,{tmp_path}/idle.yaml", "--seeds", "0", "--quiet"]
    assert main([*words, "--align-first", "--out", str(tmp_path / "grid")]) == 0
    said = capsys.readouterr().out
    assert "left out: idle" in said
    runs = tmp_path / "grid" / "runs"
    assert (runs / "geometry" / "one" / "seed0" / "results_last.json").exists()
    assert not (runs / "idle").exists()
