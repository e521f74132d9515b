"""Rounds for every kind of task, as a person types them."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from crosstask.cli import main
from crosstask.data.table.table import read_table
from crosstask.recipe import Recipe
from crosstask.trained import load_run
from tests.tiny import COLUMNS, write_recipe, write_tiny


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teachers")
    recipe = write_recipe(folder, write_tiny(folder))
    typed = ("--refine.keep", "[0.5]", "--refine.scales", "[1.0, 0.75]", "--data.validation_fraction", 0)
    typed = (*typed, "--tasks.depth.typical", 3)  # a network that has hardly learned says depths that can be
    student = "{data: {strong: 1.0}, objectives: {supervised: {made: false}, made_labels: {}}}"
    typed = (*typed, "--refine.student", student, "--rounds", 2, "--training.iterations", 2)
    assert run("refine", recipe, "--out", folder / "out", "--device", "cpu", "--quiet", *typed) == 0
    return folder


def test_blank_cells_are_filled_and_marked_and_given_labels_stay(folder):
    before, after = read_table(folder / "out" / "table.csv"), read_table(folder / "out" / "labels_1" / "table.csv")
    for old, new in zip(before.rows, after.rows, strict=True):
        given = [task for task in COLUMNS if old[task]]
        assert len(given) == (1 if old["split"] == "train" else 5)
        for task in COLUMNS:
            if task in given:
                assert Path(new[task]).name == Path(old[task]).name
                assert not new[f"{task}.source"]
            elif new[task]:
                assert new[f"{task}.source"] == "round_0"
                assert new[f"{task}.weight"]
        if old["split"] == "train":
            assert all(new[task] for task in ("depth", "normals", "semantic"))


def test_half_of_each_class_is_kept(folder):
    counts = json.loads((folder / "out" / "rounds.json").read_text())["rounds"][1]["pseudo_labels"]
    assert counts["depth kept"] > 60  # not chosen by class; only where views disagree altogether the weight is 0
    assert 50 <= counts["semantic kept"] < 75
    shown = read_table(folder / "out" / "table.csv").rows
    assert counts["semantic"] == sum(row["split"] == "train" and not row["semantic"] for row in shown)


def test_steps_of_all_trainings_are_counted(folder, capsys):
    record = json.loads((folder / "out" / "rounds.json").read_text())
    assert record["steps"] == {"round_0": 2, "round_1": 2, "round_2": 2}
    assert [entry["steps"] for entry in record["rounds"]] == [2, 4, 6]
    assert run("refine", "--resume", folder / "out", "--quiet") == 0
    assert "6 optimiser steps in all, of 3 trainings" in capsys.readouterr().out


def test_several_networks_of_a_round_teach_together(folder, capsys):
    out = folder / "together"  # beside the first, for the paths of tables are relative
    typed = ("--refine.networks", 2, "--refine.start", "last", "--rounds", 2, "--training.iterations", 2)
    assert run("refine", folder / "recipe.yaml", "--out", out, "--device", "cpu", "--quiet", *typed) == 0
    record = json.loads((out / "rounds.json").read_text())
    assert record["steps"] == {"round_0": 2, "round_0_1": 2, "round_1": 2, "round_1_1": 2, "round_2": 2}
    assert [entry["steps"] for entry in record["rounds"]] == [2, 6, 10]
    recipes = {name: Recipe.load(out / name / "recipe.yaml") for name in record["steps"]}
    assert [each.training.seed for each in recipes.values()] == [0, 1, 0, 1, 0]
    starts = [each.training.start_from and Path(each.training.start_from).name for each in recipes.values()]
    assert starts == [None, None, "round_0", "round_0_1", "round_1"]
    sources = {row["normals.source"] for row in read_table(out / "labels_2" / "table.csv").rows}
    assert sources == {"", "round_1+round_1_1"}
    assert "10 optimiser steps in all, of 5 trainings" in capsys.readouterr().out


@pytest.mark.parametrize("start", ["recipe", "last"])
def test_a_student_may_be_another_network_and_see_smaller_images(folder, start):
    out = folder / f"smaller_{start}"
    student = "{network: {encoder_options: {width: 8}}, data: {size: [24, 36]}}"
    typed = ("--refine.student", student, "--refine.start", start, "--rounds", 2, "--training.iterations", 1)
    assert run("refine", folder / "recipe.yaml", "--out", out, "--device", "cpu", "--quiet", *typed) == 0
    rounds = [load_run(out / f"round_{number}") for number in range(3)]
    assert [each.recipe.sections["network"]["encoder_options"]["width"] for each in rounds] == [4, 8, 8]
    assert [list(each.recipe.data.size) for each in rounds] == [[32, 48], [24, 36], [24, 36]]
    starts = [each.recipe.training.start_from for each in rounds]
    assert starts[:2] == [None, None]
    assert (starts[2] is not None) == (start == "last")


def test_students_start_as_the_recipe_says_and_see_strong_views(folder):
    recipe = Recipe.load(folder / "out" / "round_2" / "recipe.yaml")
    assert recipe.training.start_from is None
    assert recipe.data.strong == 1
    assert recipe.data.labels == "full"
    assert list(recipe.sections["objectives"]) == ["supervised", "made_labels"]


def test_nothing_made_is_measured_on(folder):
    loaded = load_run(folder / "out" / "round_2")
    assert not any(loaded.splits.test[index].made for index in range(len(loaded.splits.test)))
    assert any(loaded.splits.train[index].made for index in range(len(loaded.splits.train)))


def test_labels_go_on_where_they_were_left(folder):
    out = folder / "in_processes"
    shutil.copytree(folder / "out", out)
    shutil.rmtree(out / "round_2")
    table = (out / "labels_2" / "table.csv").read_bytes()
    log = (out / "labels_2" / "made.jsonl").read_bytes()
    (out / "labels_2" / "made.jsonl").write_bytes(log[: log.index(b"\n") + 20])
    (out / "labels_2" / "table.csv").unlink()
    record = json.loads((out / "rounds.json").read_text())
    record["done"] = record["done"][: record["done"].index("labels_2")]
    (out / "rounds.json").write_text(json.dumps(record | {"status": "running"}))
    assert run("refine", "--resume", out, "--quiet", "--device", "cpu") == 0
    assert (out / "labels_2" / "table.csv").read_bytes() == table
    assert (out / "labels_2" / "made.jsonl").read_bytes() == log


def test_what_cannot_be_is_said(folder, tmp_path, capsys):
    recipe = folder / "recipe.yaml"
    begun = tmp_path / "begun"
    shutil.copytree(folder / "out" / "round_0", begun, ignore=shutil.ignore_patterns("checkpoints"))
    four = ("--tasks.semantic.classes", "[floor, wall, box, lamp]")
    for typed, said in (
        (("--refine.teachers.deph", "round"), "did you mean 'depth'"),
        (("--refine.teachers.normals", "somewhere/no-model"), "no pipeline of transformers gives normals"),
        (("--refine.teachers.depth", "{modle: x}"), "expected a name"),
        (("--refine.teachers.depth", "nope.pt2"), "refine.teachers.depth: nope.pt2: no such file"),
        (("--refine.teachers.depth", recipe.with_suffix(".onnx")), "refine.teachers.depth: "),
        (("--refine.teachers.depth", folder / "out"), "is a refinement, not a training run"),
        (("--refine.teachers.depth", begun), "refine.teachers.depth: no last checkpoint"),
        (("--refine.teachers.semantic", folder / "out" / "round_0", *four), "not this segmentation with its classes"),
        (("--refine.keep", "[0]"), "refine.keep"),
        (("--refine.student", "{objectives: {mean_teacher: {only: [poses]}}}"), "there is no task 'poses'"),
    ):
        assert run("refine", recipe, "--out", tmp_path / "x", "--quiet", "--training.iterations", 1, *typed) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "x").exists()


def test_teachers_are_asked_for_only_while_there_are_labels_to_make(folder, capsys):
    teacher = folder / "teacher"
    shutil.copytree(folder / "out" / "round_0", teacher)
    typed = ("--refine.teachers", json.dumps(dict.fromkeys(COLUMNS, str(teacher))), "--training.iterations", 1)
    out = folder / "taught"  # beside the first, for the paths of tables are relative
    assert run("refine", folder / "recipe.yaml", "--out", out, "--device", "cpu", "--quiet", *typed) == 0
    shutil.rmtree(teacher)
    assert run("refine", "--resume", out, "--quiet") == 0
    record = json.loads((out / "rounds.json").read_text())
    (out / "rounds.json").write_text(json.dumps(record | {"done": ["table"], "status": "running"}))
    assert run("refine", "--resume", out, "--quiet") == 2
    assert "refine.teachers." in capsys.readouterr().err


def test_processes_label_the_same(folder):
    copy = folder / "again"  # beside the first, for the paths of tables are relative
    shutil.copytree(folder / "out", copy)
    record = json.loads((copy / "rounds.json").read_text())
    record |= {
        "status": "running",
        "done": [step for step in record["done"] if step not in ("end", "labels_2", "round_2")],
    }
    (copy / "rounds.json").write_text(json.dumps(record))
    shutil.rmtree(copy / "labels_2")
    assert run("refine", "--resume", copy, "--quiet", "--device", "cpu", "--workers", 2, "--anyway") == 0
    files = list((folder / "out" / "labels_2").rglob("*.png"))
    assert len(files) > 10
    for path in files:
        assert (copy / "labels_2" / path.relative_to(folder / "out" / "labels_2")).read_bytes() == path.read_bytes()


def test_the_report_of_rounds_of_whose_last_a_task_was_taken_away_is_one_line(folder, capsys):
    copy = folder / "fewer"
    shutil.copytree(folder / "out", copy)
    recipe = copy / "round_2" / "recipe.yaml"
    sections = yaml.safe_load(recipe.read_text())
    del sections["tasks"]["normals"]
    recipe.write_text(yaml.safe_dump(sections, sort_keys=False))
    assert run("report", copy) == 2
    assert "does not fit the recipe of the run" in capsys.readouterr().err
    assert not (copy / "report.html").exists()
