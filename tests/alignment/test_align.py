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
    ],
)
def test_what_cannot_be_aligned_is_said_in_one_line(runs, capsys, run, typed, said):
    assert main(["align", str(runs / run), *typed, "--quiet"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("crosstask: error: ")
    assert said in error


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
