"""Recipes, flags and commands that cannot be."""

from __future__ import annotations

import pytest

from crosstask.cli import main
from tests.bad_input.commands import failing, train

RECIPES = {
    "--balancing.weights={dept: 2}": ("balancing.weights", "'depth'"),
    "--balancing.weights={supervise/depth: 2}": ("balancing.weights", "'supervised/depth'"),
    "--balancing.weights={depth: -1}": ("balancing.weights.depth", "-1"),
    "--balancing={kind: dwa, objectives: [supervise]}": ("balancing.objectives", "'supervised'"),
    "--data.workers=-1": ("data.workers", "-1"),
    "--data.evaluation_size=[0, 0]": ("data.evaluation_size[0]", "at least 1"),
    "--data.rooms={train: -4}": ("data.rooms.train", "-4"),
    "--training.lr=.inf": ("training.lr", "finite"),
    "--training.lr=.nan": ("training.lr", "finite"),
    "--training.momentum=1.5": ("training.momentum", "at most 1"),
    "--training.batch_size=100000000000000000000": ("training.batch_size", "67 bits"),
    "--objectives.supervised.start=-1": ("objectives.supervised.start", "-1"),
    "--objectives.mean_teacher.view={jitter: -1}": ("objectives.mean_teacher.view.jitter", "-1"),
    "--objectives.pairwise.kernel=0": ("objectives.pairwise.kernel", "0"),
    "--network.decoder_options={width: 0}": ("network.decoder_options.width", "0"),
    "--network.encoder_options={width: [4]}": ("network.encoder_options.width", "a whole number"),
    "--objectives=[]": ("objectives", "none given"),
    "--network.encoder_options={width: 1:30}": ("network.encoder_options.width", "'1:30'"),
    "--network={encoder: resnet18, encoder_options: {checkpoint_path: x.pth}}": ("checkpoint_path", "network.weights"),
    "--training.devices=-1": ("training.devices", "-1"),
    "--data.table=[]": ("data.table", "[]"),
    "--network=[]": ("network", "key: value"),
    "--training.lr={a: 1, a: 2}": ("training.lr", "twice"),
    "--training.epochz=5": ("training.epochz", "epochs"),
    "--trainin.epochs=5": ("trainin", "training"),
    "--training.lr=fast": ("training.lr", "a number"),
    "--training.lr=-1": ("training.lr", "-1"),
    "--training.batch_size=0": ("training.batch_size", "0"),
    "--training.optimiser=adamm": ("training.optimiser", "'adamw'"),
    "--training.ema=1.5": ("training.ema", "1.5"),
    "--data.labels=won": ("won", "one"),
    "--data.labels=fraction:2": ("fraction:2", "0.1"),
    "--data.size=[4,4]": ("data.size", "16x16"),
    "--data.zoom=[2,1]": ("data.zoom", "[2.0, 1.0]"),
    "--data.rooms={train: 4}": ("data", "either table or rooms"),
    "--tasks.depth.kind=depht": ("tasks.depth.kind", "'depth'"),
    "--tasks.depth.los=l1": ("tasks.depth.los", "'loss'"),
    "--tasks.semantic.classes=0": ("tasks.semantic", "0"),
    "--objectives=supervise": ("objectives.supervise", "'supervised'"),
    "--objectives.supervised.weigth=2": ("objectives.supervised.weigth", "weight"),
    "--balancing.kind=magic": ("balancing.kind", "fixed"),
    "--network.encoder=resnet19": ("resnet19", "resnet18"),
    "--network.widht=3": ("network.widht", ""),
    "--objectives.mine={class_path: nowhere.Mine}": ("objectives.mine.class_path", "--trust"),
}


@pytest.mark.parametrize("flag", RECIPES)
def test_recipes_name_the_key_and_the_nearest_valid_one(capsys, data, flag):
    key, hint = RECIPES[flag]
    line = train(capsys, data, flag)
    assert key in line
    assert hint in line
    assert not (data / "run").exists()


def test_recipe_that_is_not_there_or_not_yaml(capsys, tmp_path):
    assert "did you mean 'demo'" in failing(capsys, ["train", "demoo"])
    (tmp_path / "broken.yaml").write_text("a: [1, 2")
    assert "cannot be read as YAML" in failing(capsys, ["train", tmp_path / "broken.yaml"])
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "expected sections" in failing(capsys, ["train", tmp_path / "list.yaml"])
    (tmp_path / "none.yaml").write_text("data: {rooms: {}}\n")
    assert "tasks: missing" in failing(capsys, ["train", tmp_path / "none.yaml"])


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_recipe(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert main(["train", "demo", "--print-config"]) == 0
    assert "rooms" in capsys.readouterr().out


def test_a_flag_without_a_value(capsys, data):
    assert "--training.epochs: needs a value" in train(capsys, data, "--training.epochs")


def test_unknown_command_and_unknown_flag(capsys):
    assert "did you mean 'train'?" in failing(capsys, ["trian"])
    assert "--nonsense" in failing(capsys, ["check", "a.csv", "--nonsense"])
