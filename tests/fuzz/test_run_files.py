"""Made-up files of runs are taken or refused in one line that names the file."""

from __future__ import annotations

import json

from crosstask.compare.grid import Grid
from crosstask.errors import UserError
from crosstask.evaluation.results import Number, Results, TaskResults
from crosstask.rounds.record import Record
from crosstask.training.run import Run
from tests.fuzz.made_up import damaged, hypothesis, one_line, some, st

NUMBERS = {"miou": Number(1.0, float("nan"), 2.0, 1), "accuracy": Number(float("nan"), 0.0, 1.0, 0)}
PER_CLASS = {"a": 0.5, "b": float("nan")}
TASK = TaskResults("segmentation", "protocol", "miou", NUMBERS, 3, 2, PER_CLASS, ["c"], {"001": 0.25})
RESULTS = json.loads(Results({"semantic": TASK}, 2, settings={"split": "test"}).to_json())
TRAIN = {"kind": "train", "iteration": 1, "terms": {"a": 1.0, "b": None}, "peak_memory": 5, "seconds_per_step": 0.1}
LINES = {"lines": [TRAIN, {"kind": "validation", "iteration": 2, "metrics": {"a/b": 0.5}}]}
METHOD = {"name": "supervised", "entry": "supervised", "patches": [{}]}
GRID = {"command": "x", "methods": [METHOD], "cells": [["supervised", "one", 0]]}
QUALITY = {
    "images": 1, "labelled": 1, "coverage": 1.0, "changed": None, "measured": 1, "precision": 1.0, "recall": 1.0,
    "miou": 1.0, "miou_known": 1.0, "per_class": {"a": 1.0},
}  # fmt: skip
ROUND = {"round": 0, "labels": "labels_0/table.csv", "pseudo_labels": QUALITY, "run": "round_0"}
RECORD = {"done": ["a"], "status": "running", "rounds": [{**ROUND, "network": {"semantic": {"miou": 0.5}}}]}


@some(150)
@hypothesis.given(damaged(RESULTS))
def test_results(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "results.json"
    path.write_text(json.dumps(content))
    try:
        found = Results.load(path)
    except UserError as error:
        one_line(error, path)
    else:
        found.markdown()
        found.scores()
        assert Results.from_json(found.to_json()).to_json() == found.to_json()


@some(100)
@hypothesis.given(damaged(LINES))
def test_metrics(tmp_path_factory, content):
    run = Run(tmp_path_factory.mktemp("fuzz"))
    lines = content.get("lines") if isinstance(content, dict) else None
    written = lines if isinstance(lines, list) else [lines]
    run.metrics_path.write_text("".join(json.dumps(line) + "\n" for line in written))
    try:
        for record in run.records():
            assert isinstance(record["iteration"], int)
    except UserError as error:
        one_line(error, run.metrics_path)


@some(100)
@hypothesis.given(damaged(GRID))
def test_comparisons(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "grid.json").write_text(json.dumps(content))
    try:
        grid = Grid.load(folder)
        for cell in grid.cells:
            assert folder / "runs" in grid.folder(cell).resolve().parents
    except UserError as error:
        one_line(error, folder / "grid.json")


@some(100)
@hypothesis.given(damaged(RECORD))
def test_refinements(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "rounds.json"
    path.write_text(json.dumps(content))
    try:
        Record.load(path).markdown()
    except UserError as error:
        one_line(error, path)


@some(150)
@hypothesis.given(st.binary(max_size=40))
def test_noise(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "results.json"
    path.write_bytes(content)
    for load in (Results.load, Record.load):
        try:
            load(path)
        except UserError as error:
            one_line(error, path)
