"""Rounds from tags to a segmentation, as a person types them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.claims import claimed
from crosstask.cli import main
from crosstask.data.table.table import read_table, write_table
from crosstask.recipe import Recipe
from crosstask.rounds.layout import Layout
from crosstask.rounds.record import Record
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run
from tests.rounds.made import write_recipe, write_squares


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A recipe with faulty rows, refined for one round."""
    folder = tmp_path_factory.mktemp("rounds")
    table = read_table(write_squares(folder))
    for index, cells in ((3, {"tags": ""}), (4, {"saliency": ""}), (5, {"tags": "red;unicorn"})):
        table.rows[index].update(cells)
    write_table(table)
    write_recipe(folder, table.path, "iterations: 2")
    assert run("refine", folder / "recipe.yaml", "--out", folder / "out", "--device", "cpu", "--quiet") == 0
    return folder


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_weights(Run(path).checkpoints.find() / "network.safetensors")


def test_each_round_is_an_ordinary_run_that_starts_from_the_one_before(folder):
    out = folder / "out"
    starts = {name: Recipe.load(out / name / "recipe.yaml").training.start_from for name in ("round_0", "round_1")}
    assert starts == {"round_0": str(out / "classifier"), "round_1": str(out / "round_0")}
    classifier = Recipe.load(out / "classifier" / "recipe.yaml")
    assert list(classifier.sections["tasks"]) == ["tags"]
    assert list(classifier.sections["objectives"]) == ["supervised"]
    assert Recipe.load(out / "round_1" / "recipe.yaml").data.table == str(out / "labels_1" / "table.csv")
    assert {"encoder.stem.0.weight", "pooled.heads.task_tags.weight"} <= weights(out / "classifier").keys()
    assert run("eval", out / "round_1", "--quiet", "--scales", "0.75,1.25", "--flip") == 0


def test_pseudo_labels_are_ordinary_columns(folder, capsys):
    out = folder / "out"
    for number in (0, 1):
        table = read_table(out / f"labels_{number}" / "table.csv")
        recipe = out / f"round_{number}" / "recipe.yaml"
        assert run("check", table.path, "--recipe", recipe, "--quiet", "--workers", "0") == 0
        for index in [index for index, row in enumerate(table.rows) if row["semantic"]]:
            row = table.rows[index]
            mask = np.array(Image.open(table.resolve(index, "semantic")))
            assert mask.shape == (32, 48)
            assert set(np.unique(mask)) <= ({0, 1, 2, 255} if row["split"] == "train" else {0, 1, 2})
    assert "semantic" in capsys.readouterr().out


def test_no_hidden_mask_is_trained_on(folder):
    out = folder / "out"
    shown = read_table(out / "table.csv")
    assert not any(row["semantic"] for row in shown.rows if row["split"] == "train")
    for number in (0, 1):
        trained = read_table(out / f"round_{number}" / "labels.csv")
        cells = {Path(row["semantic"]).parent.as_posix() for row in trained.rows if row["semantic"]}
        assert cells == {f"../labels_{number}/semantic"}


def test_faulty_rows_are_reported_and_used_for_what_they_offer(folder):
    out = folder / "out"
    assert (out / "notes.csv").read_text().splitlines()[1:] == [
        '003,tags,"no tags: any class may be there, only background can be labelled"',
        "004,saliency,no saliency map: only a network can say what is salient here",
        "005,tags,no class: unicorn; used: red",
    ]
    first, second = (read_table(out / f"labels_{number}" / "table.csv").rows for number in (0, 1))
    assert not first[4]["semantic"]  # without saliency there is nothing to agree with ...
    assert not first[4]["saliency"]
    assert second[4]["saliency"]  # ... until a network predicts it
    for row in (first[3], second[3]):  # without tags only background is sure
        if row["semantic"]:
            folder_of = out / "labels_0" if row is first[3] else out / "labels_1"
            assert set(np.unique(np.array(Image.open(folder_of / row["semantic"])))) <= {0, 255}
    assert "tags" in Recipe.load(out / "round_0" / "recipe.yaml").sections["tasks"]


def test_the_record_holds_the_numbers_of_each_round(folder):
    record = json.loads((folder / "out" / "rounds.json").read_text())
    assert record["status"] == "finished"
    assert [entry["round"] for entry in record["rounds"]] == [0, 1]
    first, second = (entry["pseudo_labels"] for entry in record["rounds"])
    assert first["changed"] is None
    assert 0 < second["changed"] <= 100
    assert first["measured"] == first["images"] == 6
    assert all(0 < first[name] <= 100 for name in ("coverage", "precision", "recall", "miou", "miou_known"))
    for entry in record["rounds"]:
        results = json.loads((folder / "out" / entry["run"] / "results_test.json").read_text())
        assert entry["network"]["semantic"]["miou"] == results["tasks"]["semantic"]["numbers"]["miou"]["value"]
    assert (folder / "out" / "rounds.md").read_text().count("\n| ") == 4


def test_the_report_shows_the_rounds_side_by_side(folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("report", folder / "out", "--out", page) == 0
    text = page.read_text()
    header, rows = Record.load(folder / "out" / "rounds.json").cells()
    for cell in [*header, *rows[0], *rows[1], "round_0", "round_1", "crosstask refine"]:
        assert cell in text
    (tmp_path / "begun").mkdir()
    Record(tmp_path / "begun" / "rounds.json").finish("table")
    capsys.readouterr()
    assert run("report", tmp_path / "begun") == 2
    assert "no round of" in capsys.readouterr().err


def test_a_finished_refinement_resumes_to_nothing_and_is_not_begun_again(folder, capsys):
    before = (folder / "out" / "rounds.json").stat().st_mtime_ns
    assert run("refine", "--resume", folder / "out", "--quiet") == 0
    assert (folder / "out" / "rounds.json").stat().st_mtime_ns == before
    assert run("refine", folder / "recipe.yaml", "--out", folder / "out", "--quiet") == 2
    assert "is in use: continue it with --resume" in capsys.readouterr().err


def test_one_process_at_a_time_takes_them(folder, capsys):
    with claimed(Layout(folder / "out").lock):  # who holds it, this process or another, is the same to it
        assert run("refine", "--resume", folder / "out", "--quiet") == 2
    assert "another process takes these rounds: wait for it, or end it" in capsys.readouterr().err
    assert run("refine", "--resume", folder / "out", "--quiet") == 0


def test_a_table_or_a_file_that_changed_in_between_is_told(folder, tmp_path, capsys):
    shutil.copytree(folder / "out", tmp_path / "out")
    (table,) = folder.glob("*.csv")
    for path in (table, next((folder / "images").iterdir())):
        kept, stamp = path.read_bytes(), path.stat()
        path.write_bytes(kept + b"\n")
        assert run("refine", "--resume", tmp_path / "out", "--quiet") == 2
        line = capsys.readouterr().err
        assert f"{path} changed since the rounds were begun" in line
        assert "restore it, or go on with --anyway" in line
        path.write_bytes(kept)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert run("refine", "--resume", tmp_path / "out", "--quiet") == 0


def test_trainings_inside_go_on_with_anyway_too(folder):
    out = folder / "anyway"
    shutil.copytree(folder / "out", out)
    record = json.loads((out / "rounds.json").read_text())
    record["done"].remove("round_1")
    (out / "rounds.json").write_text(json.dumps(record | {"status": "running"}))
    image = next((folder / "images").iterdir())
    stamp = image.stat()
    os.utime(image, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 10**9))
    try:
        assert run("refine", "--resume", out, "--quiet", "--device", "cpu") == 2
        assert run("refine", "--resume", out, "--quiet", "--device", "cpu", "--anyway") == 0
    finally:
        os.utime(image, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def test_it_stops_when_the_labels_no_longer_change_enough(folder, tmp_path, capsys):
    shutil.copytree(folder / "out", tmp_path / "out")
    text = (tmp_path / "out" / "recipe.yaml").read_text()
    (tmp_path / "out" / "recipe.yaml").write_text(text.replace("stop: 0.01", "stop: 0.999"))
    record = Record.load(tmp_path / "out" / "rounds.json")
    record.done, record.status = record.done[: record.done.index("labels_1") + 1], "running"
    record.rounds[1].pop("run")
    record.rounds[1].pop("network")
    record.finish("nothing")
    shutil.rmtree(tmp_path / "out" / "round_1")
    assert run("refine", "--resume", tmp_path / "out", "--quiet") == 2
    assert "recipe.yaml changed since the rounds were begun" in capsys.readouterr().err
    assert run("refine", "--resume", tmp_path / "out", "--quiet", "--anyway") == 0
    assert "the pseudo-labels no longer change" in capsys.readouterr().out
    assert not (tmp_path / "out" / "round_1").exists()
    assert Record.load(tmp_path / "out" / "rounds.json").status == "unchanged"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--refine.rouns", "2"), "refine.rouns: no such option (found 2); did you mean 'rounds'"),
        (("--refine.cam", "1"), "refine.cam must be in [0, 1), found 1"),
        (("--refine.tasks", "[tags]"), "refine.tasks: tags without semantic: name it too"),
        (("--refine.tasks", "[semantic, sky]"), "refine.tasks: there is no task 'sky'"),
        (("--refine.tasks", "[semantic]"), "refine.tasks: without tags nothing can be labelled anew"),
        (("--training.devices", "2"), "training.devices: refine trains on one device, found 2"),
        (("--data.confined", "true"), "data.confined: rounds write tables in a folder of their own"),
        (("--refine.tasks", "[]"), "refine.tasks is empty: name some"),
        (("--refine.saliency_from", "nowhere"), "nowhere is not a run"),
        (("--refine.keep", "[0.5]"), "refine.keep: it is read by rounds of teachers alone"),
        (("--refine.by", "teachers"), "refine.masks: it is read by rounds of activations alone"),
        (("--refine.masks", "mask"), "has no column 'mask': valid"),
        (("--refine.classifier", "nowhere"), "nowhere is not a run"),
        (("--refine.classifier_recipe", "{training: {lr: x}}"), "refine.classifier_recipe: training.lr: expected"),
        (("--tasks.tags.classes", "[red, green]"), "tasks.tags: the tag 'green' is no class of semantic"),
    ],
)
def test_what_is_wrong_is_one_line(folder, tmp_path, capsys, typed, message):
    assert run("refine", folder / "recipe.yaml", "--out", tmp_path / "out", "--quiet", *typed) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert message in line


def test_a_recipe_without_a_table_or_with_resume_is_refused(tmp_path, capsys):
    typed = ["--tasks", "{semantic: {kind: segmentation, classes: [background, ball]}, "
             "tags: {kind: tags, classes: [ball]}}", "--quiet"]  # fmt: skip
    assert run("refine", "demo", "--out", tmp_path / "out", *typed) == 2
    assert run("refine", "--resume", tmp_path / "out", "--rounds", "2") == 2
    assert run("refine", "--resume", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert "data.rooms: refine works on a table" in lines[0]
    assert "--resume continues the recipe as it was" in lines[1]
    assert "holds no refinement" in lines[2]


def test_tags_that_the_protocol_hides_make_no_labels(tmp_path):
    table = read_table(write_squares(tmp_path))
    rows = [row | {"split": {"train": "Training", "test": "Test"}[row["split"]]} for row in table.rows]
    write_table(replace(table, rows=rows))
    typed = ("--rounds", 0, "--data.labels", "fraction:0.34", "--out", tmp_path / "out", "--quiet")
    assert run("refine", write_recipe(tmp_path, table.path), *typed) == 0
    made = [row for row in read_table(tmp_path / "out" / "labels_0" / "table.csv").rows if row["split"] == "Training"]
    assert sum(bool(row["tags"]) for row in made) == 2
    assert any(row["semantic"] for row in made)
    told = (tmp_path / "out" / "classifier" / "labels.csv").read_text()
    assert sum(bool(row["tags"]) for row in csv.DictReader(told.splitlines())) == 2


@pytest.mark.slow
def test_rounds_get_better_where_tags_tell_the_classes_apart(tmp_path):
    recipe = write_recipe(tmp_path, write_squares(tmp_path, train=48, test=12), "lr: 0.005")
    steps = ("--training.iterations", "60", "--training.batch_size", "8",
             "--network.encoder_options.output_stride", "4", "--network.encoder_options.width", "8",
             "--network.decoder_options.width", "16",
             "--refine.classifier_recipe", "{training: {iterations: 120}}")  # fmt: skip
    assert run("refine", recipe, "--out", tmp_path / "out", "--quiet", "--device", "cpu", *steps) == 0
    first, second = Record.load(tmp_path / "out" / "rounds.json").rounds
    assert first["pseudo_labels"]["precision"] > 90
    assert second["pseudo_labels"]["miou"] > first["pseudo_labels"]["miou"] + 5
    assert second["network"]["semantic"]["miou"] > first["network"]["semantic"]["miou"] + 5


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_many_moments_it_ends_with_the_same_bits(folder, number):
    """Stopped whenever another part of the record or of a log is there, then continued, again and again."""
    out = folder / f"stopped_{number:d}"
    options = ("--out", out, "--quiet", "--device", "cpu", "--training.checkpoint_every", "1")
    code = "import sys, torch; torch.set_num_threads(1); from crosstask.cli import main; sys.exit(main())"
    typed = [sys.executable, "-c", code, "refine", folder / "recipe.yaml", *options]
    moments = [out / "classifier/metrics.jsonl", out / "labels_0/made.jsonl", out / "round_0/metrics.jsonl",
               out / "labels_1/made.jsonl", out / "round_1/metrics.jsonl"]  # fmt: skip
    for moment in moments:
        process = subprocess.Popen([str(word) for word in typed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while not (moment.exists() and moment.stat().st_size) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        output, _ = process.communicate(timeout=240)
        # without a handler where Python is still importing
        assert process.returncode in ({-number} if number == signal.SIGKILL else {0, 130, -number}), output.decode()
        typed = [sys.executable, "-c", code, "refine", "--resume", out, "--quiet", "--device", "cpu"]
    assert run("refine", "--resume", out, "--quiet") == 0
    for name in ("classifier", "round_0", "round_1"):
        found, expected = weights(out / name), weights(folder / "out" / name)
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    for name in ("rounds.md", "labels_0/table.csv", "labels_1/table.csv"):
        assert (out / name).read_text() == (folder / "out" / name).read_text().replace(str(folder / "out"), str(out))
