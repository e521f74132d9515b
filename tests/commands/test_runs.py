"""What is printed for programs, the list of runs, and a comparison that is only looked at."""

import importlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from crosstask.claims import claimed
from crosstask.cli import COMMANDS, main, parser
from crosstask.data.table.table import read_table, write_table
from crosstask.evaluation.results import Results
from crosstask.report.subject import read_subject, side_by_side
from crosstask.training.listing import find_runs
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    recipe = write_recipe(folder, write_tiny(folder))
    assert main(["train", str(recipe), "--out", str(folder / "runs/one"), "--quiet", "--data.labels", "full"]) == 0
    return folder


def said(capsys, *arguments, code=0):
    assert main([str(each) for each in arguments]) == code
    return capsys.readouterr().out


def test_eval_for_programs_is_the_file_it_writes(capsys, place):
    printed = json.loads(said(capsys, "eval", place / "runs/one", "--quiet", "--json", "--prior"))
    assert list(printed) == ["prior", "results"]
    assert printed["results"] == json.loads((place / "runs/one/results_test.json").read_text())


def test_check_for_programs(capsys, place):
    printed = json.loads(said(capsys, "check", place / "data.csv", "--quiet", "--json", "--workers", "0"))
    assert printed["labelled"]["train"]["depth"] == 6
    assert {finding["severity"] for finding in printed["findings"]} <= {"error", "warning", "info"}


def test_runs_are_listed_with_state_and_score(capsys, place):
    main(["eval", str(place / "runs/one"), "--quiet"])
    capsys.readouterr()
    (one,) = json.loads(said(capsys, "runs", place / "runs", "--json"))
    results = json.loads((place / "runs/one/results_test.json").read_text())["tasks"]
    assert (one["state"], one["iteration"], one["iterations"], one["measured"]) == ("finished", 4, 4, "test")
    assert one["scores"]["depth abs"] == results["depth"]["numbers"]["abs"]["value"]
    table = said(capsys, "runs", place / "runs")
    assert "finished" in table
    assert "4 of 4" in table


def test_numbers_on_another_table_are_not_those_of_the_run(capsys, place):
    run, table = place / "runs/one", read_table(place / "data.csv")
    test = [row for row in table.rows if row["split"] == "test"]
    other = write_table(replace(table, rows=test[:1]), place / "other.csv").path
    shutil.copytree(run, place / "runs/two")
    own = place / "runs/two/results_test.json"
    assert main(["eval", str(place / "runs/two"), "--quiet", "--table", str(place / "data.csv")]) == 0  # its own
    before = own.read_bytes()
    prior = (place / "runs/two/prior_test.json").read_bytes()
    assert "table" in said(capsys, "eval", place / "runs/two", "--table", other)
    assert own.read_bytes() == before
    assert (place / "runs/two/prior_test.json").read_bytes() == prior
    elsewhere = Results.load(place / "runs/two/results_test_other.json")
    assert elsewhere.images == 1
    assert elsewhere.settings["table"] == str(other.resolve())
    assert f"table {other.resolve()}" in (place / "runs/two/results_test_other.md").read_text()
    listed = json.loads(said(capsys, "runs", place / "runs/two", "--json"))[0]
    assert listed["measured"] == "test"
    assert read_subject(place / "runs/two").results == Results.from_json(before.decode())
    own.unlink()
    assert read_subject(place / "runs/two").results is None
    assert json.loads(said(capsys, "runs", place / "runs/two", "--json"))[0]["measured"] == "validation"


def test_a_run_is_put_beside_one_of_a_grown_table_with_its_numbers_on_that(place, tmp_path):
    table = read_table(place / "data.csv")
    grown = write_table(replace(table, rows=[*table.rows, table.rows[-1] | {"id": "new", "split": "test"}]),
                        place / "grown.csv").path  # fmt: skip
    for name in ("before", "after"):
        shutil.copytree(place / "runs/one", tmp_path / name)
        assert main(["eval", str(tmp_path / name), "--quiet"]) == 0
    recipe = tmp_path / "after/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("data.csv", "grown.csv"))
    assert main(["eval", str(tmp_path / "before"), "--quiet", "--table", str(grown)]) == 0
    paths = [tmp_path / name for name in ("before", "after")]
    counts = [
        [source.tasks["semantic"].images for source in side_by_side(order).sources] for order in (paths, paths[::-1])
    ]
    assert counts == [[3, 2], [2, 2]]


def test_the_states_of_runs(place, tmp_path, monkeypatch):
    recipe = place / "recipe.yaml"
    full = ["--quiet", "--data.labels", "full"]
    assert main(["train", str(recipe), "--out", str(tmp_path / "a/killed"), *full]) == 0
    (tmp_path / "a/killed/state.json").unlink()
    (tmp_path / "a/killed/environment.json").write_text('{"iterations": 9}')
    monkeypatch.setattr("crosstask.training.fit.Trainer._step", lambda *_: 1 / 0)
    assert main(["train", str(recipe), "--out", str(tmp_path / "failed"), *full]) == 1
    with claimed(tmp_path / "a/killed/.lock"):
        assert [each.state for each in find_runs(tmp_path)] == ["running", "failed"]
    killed, failed = find_runs(tmp_path)
    assert (killed.state, killed.iteration, killed.iterations) == ("killed", 4, 9)
    assert killed.measured == "validation"
    assert "depth abs" in killed.scores
    assert failed.reason == "ZeroDivisionError: division by zero"
    assert failed.iteration == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_whoever_prints_a_table_prints_it_for_programs_too(name):
    module = importlib.import_module(f"crosstask.commands.{name}")
    if "rich.table" in Path(module.__file__).read_text() or hasattr(module, "show"):
        _, each = parser()
        assert "--json" in each[name]._option_string_actions


def test_the_shipped_recipes_for_programs(capsys):
    printed = json.loads(said(capsys, "recipes", "--json"))
    assert list(printed) == ["recipes", "patches"]
    assert printed["recipes"]["demo"]
    assert "geometry_mutual" in said(capsys, "recipes")


def test_a_folder_without_runs_and_no_folder(capsys, tmp_path):
    assert "there is no run" in said(capsys, "runs", tmp_path)
    assert json.loads(said(capsys, "runs", tmp_path, "--json")) == []
    assert main(["runs", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_dry_run_lists_what_would_be_trained_and_writes_nothing(capsys, place, tmp_path):
    asked = ["compare", place / "recipe.yaml", "--objectives", "single,pairwise", "--seeds", "0,1", "--data.labels",
             "full", "--out", tmp_path / "grid"]  # fmt: skip
    listed = json.loads(said(capsys, *asked, "--dry-run", "--json"))
    assert {(each["method"], each["seed"]) for each in listed if not each["task"]} == {
        ("supervised", "0"), ("supervised", "1"), ("pairwise", "0"), ("pairwise", "1"),
    }  # fmt: skip
    assert {each["to do"] for each in listed} == {"train"}
    assert not (tmp_path / "grid").exists()
    assert "14 runs, 14 of them to be trained" in said(capsys, *asked, "--dry-run")


@pytest.mark.parametrize(("shell", "holds"), [("bash", "_crosstask"), ("zsh", "#compdef crosstask")])
def test_completion_knows_commands_and_options(capsys, shell, holds):
    pytest.importorskip("shtab", reason="needs the extra completion")
    script = said(capsys, "completion", shell)
    assert holds in script
    assert "predict" in script
    assert "--dry-run" in script
