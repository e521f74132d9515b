"""Runs of recipes with objectives that keep state: they train, and go on exactly where they were interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from crosstask.experiment import Experiment
from crosstask.objectives import OBJECTIVES
from crosstask.recipe import Recipe
from crosstask.training.run import Run

ROOMS = """
data: {rooms: {train: 12, validation: 2, test: 2}, size: [32, 48], labels: "fraction:0.5", hidden: true, workers: 0}
tasks:
  semantic: {kind: segmentation, classes: [ceiling, floor, sofa, table, wall]}
  depth: {kind: depth}
  normals: {kind: normals}
  tags: {kind: tags, classes: [ball, lamp, sofa]}
network: {encoder: small, encoder_options: {width: 4}}
training: {iterations: 6, batch_size: 3, checkpoint_every: 3, evaluate_every: 6, log_every: 1, accelerator: cpu}
"""
OPTIONS = {
    "mean_teacher": {"view": {"mix": "classmix"}, "views": 2, "feature_dropout": 0.3, "threshold": 0.2, "flip": True},
}
SPACES = {
    "strategy": "cross",
    "threshold": 0.2,
    "representation": {"width": 8, "dimension": 8},
    "contrast": {"anchors": 8, "negatives": 8, "rampdown": 8, "confidence": 0.2},
    "view": {"mix": "classmix"},
}
OPTIONS["spaces"] = SPACES
OPTIONS["regeneration"] = {"redaction": {"mode": "blocks"}, "ramp": 4}
TIMING = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory"}


def recipe(name: str) -> Recipe:
    raw = yaml.safe_load(ROOMS)
    raw["objectives"] = {"supervised": {}, name: OPTIONS[name]}
    return Recipe.of(raw)


def outcome(path: Path) -> tuple[dict[str, torch.Tensor], dict, list[dict]]:
    """Weights of the network, state of the objectives and log of a finished run."""
    folder = Run(path).checkpoints.find("last")
    state = torch.load(folder / "state.pt", weights_only=True)["learner"]
    records = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    log = [{key: value for key, value in record.items() if key not in TIMING} for record in records]
    return load_file(folder / "network.safetensors"), state, log


def same_bits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict, dict, list[dict]]:
    """The outcome of a run, which is that of an interrupted one too."""
    Experiment(recipe(name), tmp_path / "whole", quiet=True).fit()
    after_step = OBJECTIVES[name].after_step

    def power_cut(objective, network, iteration):
        if iteration == 5:
            raise KeyError("power cut")
        after_step(objective, network, iteration)

    monkeypatch.setattr(OBJECTIVES[name], "after_step", power_cut)
    with pytest.raises(KeyError, match="power cut"):
        Experiment(recipe(name), tmp_path / "cut", quiet=True).fit()
    monkeypatch.setattr(OBJECTIVES[name], "after_step", after_step)
    Experiment.resume(tmp_path / "cut", quiet=True).fit()
    (weights, state, log), (other, other_state, other_log) = (outcome(tmp_path / run) for run in ("whole", "cut"))
    assert all(torch.equal(weights[key], other[key]) for key in weights)
    assert state.keys() == other_state.keys()
    torch.testing.assert_close(other_state, state, rtol=0, atol=0, equal_nan=True)
    assert log == other_log
    return weights, state, log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mean_teacher", "spaces"])
def test_an_interrupted_run_with_a_teacher_ends_with_the_same_bits(name, tmp_path, monkeypatch):
    weights, state, log = same_bits(name, tmp_path, monkeypatch)
    assert any(key.startswith(f"objectives.{name}.teacher") for key in state)
    assert not any("teacher" in key for key in weights)  # what is evaluated and exported is the network alone
    measured = [record["measures"] for record in log if record["kind"] == "train"]
    quality = f"{name}/used/semantic" if name == "spaces" else f"{name}/semantic"
    assert all(f"{quality}/coverage" in measures for measures in measured)
    assert any(measures.get(f"{quality}/miou") for measures in measured)


@pytest.mark.slow
def test_an_interrupted_run_redacts_the_same_blocks(tmp_path, monkeypatch):
    weights, state, _ = same_bits("regeneration", tmp_path, monkeypatch)
    assert any(key.startswith("objectives.regeneration.regenerator") for key in state)
    assert not any("regenerator" in key for key in weights)


def test_objectives_train_together_on_several_tasks(tmp_path):
    raw = yaml.safe_load(ROOMS)
    raw["data"]["regions"] = True
    raw["training"] |= {"iterations": 2, "evaluate_every": 2, "checkpoint_every": 2}
    raw["objectives"] = {
        "supervised": {},
        "spaces": {**SPACES, "strategy": "mix", "start": 1},
        "mean_teacher": {"only": ["depth", "normals", "tags"], "weight": 0.5, "ramp": 2},
        "region_contrast": {"minimum": 2},
        "pairwise": {},
        "regeneration": {"redaction": {"mode": "blocks"}, "start": 1},
    }
    Experiment(Recipe.of(raw), tmp_path / "run", quiet=True).fit()
    _, _, log = outcome(tmp_path / "run")
    terms = log[-2]["terms"]
    assert {name.split("/")[0] for name in terms} == set(raw["objectives"])
    assert {name for name in terms if name.startswith(("spaces", "mean"))} == {
        "spaces/pseudo", "spaces/contrast", "mean_teacher/depth", "mean_teacher/normals", "mean_teacher/tags",
    }  # fmt: skip
    assert terms["region_contrast/regions"] > 0
    assert terms["pairwise/consistency"] > 0
    assert terms["spaces/contrast"] > 0
    assert terms["regeneration/image"] > 0
