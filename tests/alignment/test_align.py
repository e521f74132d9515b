"""The command as a person uses it, on a small run of made-up rooms."""

from __future__ import annotations

import json

import pytest

from crosstask.alignment.align import align
from crosstask.alignment.recipes import aligned_recipes
from crosstask.alignment.rows import Estimate, Row, with_signal
from crosstask.alignment.table import read, statements
from crosstask.cli import main
from crosstask.trained import load_run

ROOMS = """
data:
  rooms: {train: 12, validation: 0, test: 1}
  size: [32, 48]
  labels: LABELS
  validation_fraction: 0.0
  regions: true
  workers: 0
tasks:
  semantic: {kind: segmentation, classes: [ball, box, cabinet, ceiling, chair, door, floor, lamp, painting, pillar,
    plant, rug, shelf, sofa, table, wall]}
  depth: {kind: depth}
  normals: {kind: normals}
network: {encoder: small, encoder_options: {width: 4}}
training: {iterations: 15, batch_size: 6, lr: 0.01, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("align")
    for labels in ("one", "full"):
        (folder / f"{labels}.yaml").write_text(ROOMS.replace("LABELS", labels))
        assert main(["train", str(folder / f"{labels}.yaml"), "--out", str(folder / labels), "--quiet"]) == 0
    return folder


def test_geometry_agrees_with_hidden_normals_and_the_file_says_so(runs, capsys):
    entries = "geometry,pairwise,region_contrast,mean_teacher"
    assert main(["align", str(runs / "one"), "--objectives", entries, "--batches", "8", "--fit", "2", "--quiet"]) == 0
    rows = {(row.method, row.task, row.place): row for row in read(runs / "one" / "align.json")}
    assert {method for method, _, _ in rows} == set(entries.split(","))
    normals = rows["geometry", "normals", "predictions"]
    assert normals.signal
    assert normals.cosine.mean > 0.3
    assert rows["geometry", "semantic", "predictions"].cosine.batches == 0
    assert "geometry agrees with the hidden labels of" in capsys.readouterr().out
    settings = json.loads((runs / "one" / "align.json").read_text())["settings"]
    assert settings["batches"] == 8


def test_the_network_is_left_as_it_was(runs):
    run = load_run(runs / "one")
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    recipes = aligned_recipes(run.recipe, "pairwise")
    first, second = (align(load_run(runs / "one").network, recipes, batches=2, fit=1) for _ in range(2))
    assert repr(first) == repr(second)
    align(run.network, recipes, batches=2, fit=1)
    after = run.network.state_dict()
    assert all(bool((before[name] == after[name]).all()) for name in before)


@pytest.mark.parametrize(
    ("run", "typed", "said"),
    [
        ("full", ["--objectives", "geometry"], "no label is hidden"),
        ("one", ["--objectives", "geometri"], "geometry"),
        ("one", ["--objectives", "supervised"], "name another"),
        ("one", ["--objectives", "single"], "leave it out"),
        ("one", ["--objectives", "geometry", "--training.batch_sise", "4"], "training.batch_sise"),
        ("one", ["--objectives", "geometry", "--bogus.key", "1"], "bogus"),
        ("one", ["--objectives", "geometry", "--network.encoder", "resnet18"], "network.encoder: a trained network is"),
        ("one", ["--objectives", "geometry", "--training.ema", "0.9"], "training.ema: a trained network is aligned"),
    ],
)
def test_what_cannot_be_aligned_is_said_in_one_line(runs, capsys, run, typed, said):
    assert main(["align", str(runs / run), *typed, "--quiet"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("crosstask: error: ")
    assert said in error


def test_flags_about_what_is_read_hold(runs):
    typed = ["--training.batch_size", "2", "--tasks.semantic.label_smoothing", "0.25", "--data.colour", "0.5"]
    (recipe,) = aligned_recipes(load_run(runs / "one").recipe, "geometry", typed).values()
    assert (recipe.training.batch_size, recipe.data.colour, recipe.data.hidden) == (2, 0.5, True)
    assert recipe.tasks()["semantic"].label_smoothing == 0.25


def test_hidden_labels_are_weighed_as_in_training(runs):
    run = load_run(runs / "one")
    plain, balanced = (
        align(run.network, aligned_recipes(run.recipe, "pairwise", typed), batches=1, fit=1)
        for typed in ([], ["--tasks.semantic.class_weights", "balanced"])
    )
    cosines = [{row.task: row.cosine.mean for row in rows if row.place == "weights"} for rows in (plain, balanced)]
    assert cosines[0]["depth"] != pytest.approx(cosines[1]["semantic"])
    assert cosines[0]["semantic"] != pytest.approx(cosines[1]["semantic"], rel=1e-6)


def test_one_image_a_batch_says_nothing_and_is_told(runs):
    run = load_run(runs / "one")
    recipes = aligned_recipes(run.recipe, "geometry", ["--training.batch_size", "1"])
    rows = align(run.network, recipes, batches=4, fit=1)
    assert not with_signal(rows)
    assert "geometry is not known to agree" in statements(rows)[0]


def test_signal_needs_to_be_above_zero_and_above_the_control():
    strong, weak = Estimate(0.2, 0.02, 9), Estimate(0.2, 0.15, 9)
    none, same = Estimate(0.0, 0.02, 9), Estimate(0.19, 0.02, 9)
    rows = [
        Row("a", "depth", "predictions", strong, none, strong),
        Row("b", "depth", "predictions", strong, same, Estimate(0.01, 0.01, 9)),
        Row("c", "depth", "predictions", weak, none, weak),
        Row("d", "depth", "weights", strong, none, strong),
        Row("e", "depth", "predictions", strong, Estimate.of([]), Estimate.of([])),
    ]
    assert with_signal(rows) == ["a", "d"]
    assert statements(rows)[1] == "b does not agree with the hidden labels of any task."
    assert "through shared weights" in statements(rows)[3]
