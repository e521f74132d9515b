"""Runs and recipes of strangers: they name no code that runs, and no place that is written to."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from crosstask.cli import main
from tests.bad_input.commands import failing, train
from tests.tiny import write_recipe

CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
from crosstask.tasks import Depth
from crosstask.objectives.supervised import Supervised
class Own(Depth): pass
class Mine(Supervised): pass
thing = 3
"""


@pytest.fixture
def code(tmp_path, monkeypatch) -> Path:
    """A module that leaves a mark when it is imported; returns the mark."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "strange_code.py").write_text(CODE)
    monkeypatch.syspath_prepend(folder)
    yield folder / "ran"
    sys.modules.pop("strange_code", None)


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = write_recipe(folder, tiny / "data.csv", "epochs: 1")
    arguments = ["train", recipe, "--out", folder / "run", "--quiet", "--training.iterations", "1"]
    assert main([str(argument) for argument in arguments]) == 0
    return folder / "run"


def edited(run: Path, folder: Path, edit) -> Path:
    shutil.copytree(run, folder)
    content = yaml.safe_load((folder / "recipe.yaml").read_text())
    edit(content)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


NAMED = {
    "objectives": lambda content: content["objectives"].update(mine={"class_path": "strange_code.Mine"}),
    "tasks": lambda content: content["tasks"].update(depth={"class_path": "strange_code.Own", "init_args": {}}),
    "an option": lambda content: content["data"].update(table=None, rooms="strange_code.Mine"),
    "inside an option": lambda content: content["data"].update(rooms={"class_path": "strange_code.Mine"}),
}


@pytest.mark.parametrize("where", NAMED)
def test_no_command_runs_code_that_a_run_names(capsys, code, run, tiny, tmp_path, where):
    (tiny / "labels.csv").write_text("image,annotator,semantic\nimage/000.png,anna,semantic/000.png\n")
    path = edited(run, tmp_path / "strange", NAMED[where])
    recipe = path / "recipe.yaml"
    for arguments in (
        ["eval", path], ["predict", path, tiny / "image", "--out", tmp_path / "out"], ["export", path],
        ["report", path], ["train", "--resume", path], ["check", tiny / "data.csv", "--recipe", recipe],
        ["train", recipe, "--print_config"], ["train", recipe, "--out", tmp_path / "new"],
        ["refine", recipe, "--out", tmp_path / "new"], ["train", recipe, "--training.start_from", path],
        ["compare", recipe, "--objectives", "supervised", "--out", tmp_path / "new"],
        ["relate", tiny / "data.csv", "--of", "place", "--to", "tags", "--out", tmp_path / "r.csv", "--recipe", recipe],
        ["align", path, "--objectives", "supervised"], ["suggest", path, "--budget", "1"], ["audit", path],
        ["serve", path, "--port", "0"], ["app", path, "--port", "0"],
        ["annotate", tiny / "data.csv", recipe, "--as", "coco", "--out", tmp_path / "new"],
        ["agree", tiny / "labels.csv", "--recipe", recipe, "--fuse", tmp_path / "new.csv"],
        ["regions", tiny / "data.csv", "--by", "given", "--column", "semantic", "--recipe", recipe, "--out",
         tmp_path / "new"],
    ):  # fmt: skip
        line = failing(capsys, arguments)
        assert "class_path" in line or "data.rooms: expected options" in line
        assert not code.exists(), arguments
        assert not (tmp_path / "new").exists()
    assert main(["runs", str(tmp_path)]) == 0
    assert not code.exists()


def test_code_that_is_trusted_runs(code, run, tmp_path, capsys):
    path = edited(run, tmp_path / "own", NAMED["tasks"])
    assert main(["eval", str(path), "--trust", "--quiet"]) == 0
    assert code.exists()


def test_trusted_code_that_is_no_class_of_the_kind(code, run, tmp_path, capsys):
    path = edited(run, tmp_path / "own", lambda c: c["objectives"].update(mine={"class_path": "strange_code.thing"}))
    assert "is no class made from" in failing(capsys, ["eval", path, "--trust"])


NAMES = ("../../x", "/tmp/x", "a/b", "..", "con", "a\nb", "id", "image", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_task_leads_nowhere(capsys, run, tiny, tmp_path, name):
    def rename(content):
        content["tasks"] = {name if key == "semantic" else key: value for key, value in content["tasks"].items()}

    path = edited(run, tmp_path / "strange" / "run", rename)
    before = sorted(tmp_path.rglob("*"))
    for arguments in (["predict", path, tiny / "image", "--out", tmp_path / "out"], ["eval", path], ["export", path]):
        line = failing(capsys, arguments)
        assert line.startswith(f"crosstask: error: {path / 'recipe.yaml'}: tasks.")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "keys", "type", "a.b"])
def test_a_name_of_an_objective_leads_nowhere(capsys, data, name):
    flag = f"--objectives={{'{name}': {{kind: supervised}}}}"
    assert f"objectives.{name}" in train(capsys, data, flag)
    assert not (data / "run").exists()


def test_names_of_files_from_outside_are_no_paths(capsys, run, tiny, tmp_path):
    line = failing(capsys, ["eval", run, "--zero-shot", "../../x=du2014_compound", "--table", tiny / "data.csv"])
    assert "../../x" in line
    text = (tiny / "data.csv").read_text().replace(",test,", ",../../x,")
    table = tiny / "strange.csv"
    table.write_text(text)
    try:
        assert "../../x" in failing(capsys, ["eval", run, "--table", table, "--split", "../../x"])
    finally:
        table.unlink()
    assert not (tmp_path / "x.json").exists()
