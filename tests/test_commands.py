"""The commands as a person types them, from a folder of files to predictions and an exported network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.utils.data import Subset

from crosstask.cli import main
from crosstask.commands import demo
from crosstask.data.table.table import read_table
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.exported import load_exported
from crosstask.evaluation.results import Results
from crosstask.recipe import Recipe
from crosstask.recipe.shipped import shipped_recipes
from crosstask.trained import load_run
from tests.tiny import write_recipe, write_tiny


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    write_tiny(folder)
    recipe = write_recipe(folder, folder / "data.csv", "ema: 0.5")
    assert run("train", recipe, "--out", folder / "run", "--quiet", "--training.lr", "0.01") == 0
    return folder


def test_a_table_from_folders_is_checked_and_trained(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    typed = ("--image", "image/*.png", "--semantic", "semantic/*.png", "--depth", "depth/*.png", "--fx", "40")
    assert run("table", ".", *typed, "--out", "made.csv") == 0
    table = read_table("made.csv")
    assert len(table) == 8
    assert {row["fx"] for row in table.rows} == {"40"}
    assert run("check", "made.csv", "--quiet", "--workers", "0") == 0
    shown = capsys.readouterr().out
    assert "segmentation" in shown
    assert "8 (100%)" in shown


def test_the_run_says_everything_about_itself(folder):
    where = folder / "run"
    recipe = yaml.safe_load((where / "recipe.yaml").read_text())
    assert recipe["training"]["lr"] == 0.01
    assert Recipe.load(where / "recipe.yaml").to_yaml() == (where / "recipe.yaml").read_text()
    environment = json.loads((where / "environment.json").read_text())
    assert environment["network"]["parameters"] > 0
    labels = read_table(where / "labels.csv")
    kept = [[task for task in ("semantic", "depth", "normals", "tags", "place") if row[task]] for row in labels.rows]
    assert all(len(tasks) == 1 for tasks in kept)  # one label per image
    kinds = [json.loads(line)["kind"] for line in (where / "metrics.jsonl").read_text().splitlines()]
    assert kinds.count("train") == 4
    assert kinds.count("validation") == 4


def test_eval_prints_and_writes_one_table(folder, capsys):
    assert run("eval", folder / "run", "--quiet", "--prior", "--flip") == 0
    shown = capsys.readouterr().out
    assert "miou" in shown
    assert "angles in degrees" in shown  # the protocol
    results = Results.load(folder / "run" / "results_test.json")
    assert results.images == 2
    assert set(results.tasks) == {"semantic", "depth", "normals", "tags", "place"}
    assert results.settings["flip"] == "averaged"
    prior = Results.load(folder / "run" / "prior_test.json")
    assert prior.tasks["semantic"].score > 99  # all made-up masks are alike
    assert "| depth | abs" in (folder / "run" / "results_test.md").read_text()


def test_predictions_are_files_that_serve_as_labels(folder):
    out = folder / "predictions"
    assert run("predict", folder / "run", folder / "image", "--out", out, "--quiet", "--tile", "32") == 0
    table = read_table(out / "table.csv")
    assert len(table) == 8
    depth = np.array(Image.open(out / table.rows[0]["depth"]))
    assert (depth.dtype, depth.shape) == (np.uint16, (32, 48))
    assert run("check", out / "table.csv", "--quiet", "--workers", "0") in (0, 2)
    assert (out / "pictures").is_dir()
    again = ("--out", folder / "predictions_2", "--quiet", "--tile", "32", "--workers", "2")
    assert run("predict", folder / "run", folder / "image", *again) == 0
    (folder / "predictions_2" / ".unfinished.jsonl").touch()  # as it is when the first image is in work
    assert run("predict", folder / "run", folder / "image", *again) == 0
    for name in ("table.csv", table.rows[0]["depth"]):
        assert (folder / "predictions_2" / name).read_bytes() == (out / name).read_bytes()


def test_an_exported_program_computes_the_same(folder, capsys):
    assert run("export", folder / "run", "--out", folder / "network.pt2") == 0
    exported = load_exported(folder / "network.pt2")
    values = exported(torch.rand(1, 3, 32, 64))
    assert set(values) == {"semantic", "depth", "normals", "tags", "place"}
    torch.testing.assert_close(values["semantic"].sum(1), torch.ones(1, 32, 64))
    assert "largest difference" in capsys.readouterr().out


def test_a_finished_run_resumes_to_nothing(folder, capsys):
    before = (folder / "run" / "checkpoints" / "last").read_text()
    assert run("train", "--resume", folder / "run", "--quiet") == 0
    assert "finished at iteration 4" in capsys.readouterr().out
    assert (folder / "run" / "checkpoints" / "last").read_text() == before


def test_rooms_can_be_written_and_read_back(tmp_path, capsys):
    typed = ("--train", "3", "--val", "1", "--test", "1", "--size", "32", "48")
    assert run("rooms", "--out", tmp_path / "rooms", *typed) == 0
    assert run("check", tmp_path / "rooms" / "table.csv", "--quiet", "--workers", "0") == 0
    assert "normals" in capsys.readouterr().out


def test_regions_are_made_once(folder, capsys):
    typed = ("regions", folder / "data.csv", "--by", "grid", "--patch", "8", "--workers", "1")
    assert run(*typed) == 0
    assert "made 8, kept 0" in capsys.readouterr().out
    assert run(*typed) == 0
    assert "made 0, kept 8" in capsys.readouterr().out
    assert "regions" in read_table(folder / "data_regions.csv").columns


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_say_what_they_are(name, capsys):
    recipe = Recipe.load(name)
    assert recipe.tasks()
    assert run("recipes", name) == 0
    assert capsys.readouterr().out.startswith("# ")
    assert run("train", name, "--print_config") == 0
    assert Recipe.of(yaml.safe_load(capsys.readouterr().out)) == recipe


def test_the_help_of_options_names_every_section(capsys):
    assert run("train", "--options") == 0
    shown = capsys.readouterr().out
    for word in ("data", "training", "network", "tasks.NAME, kind: depth", "objectives.NAME", "balancing", "lr LR"):
        assert word in shown


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["fabric", "torchrun"])
def test_two_processes(folder, tmp_path, launcher):
    recipe = write_recipe(tmp_path, folder / "data.csv", "devices: 2, strategy: ddp")
    typed = ["-m", "crosstask.cli", "train", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]
    start = [sys.executable]
    if launcher == "torchrun":
        start += ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29653"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*start, *typed], capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2
    assert done.stdout.count("finished at iteration 4") == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # torch.compile's
def test_a_compiled_network_trains_to_the_same_weights(folder, tmp_path):
    recipe = write_recipe(tmp_path, folder / "data.csv")
    for name, compiled in (("plain", "false"), ("compiled", "true")):
        assert run("train", recipe, "--out", tmp_path / name, "--quiet", "--training.compile", compiled) == 0
    plain, compiled = (load_run(tmp_path / name, "last").network.state_dict() for name in ("plain", "compiled"))
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_demo_trains_measures_and_shows(tmp_path):
    out = tmp_path / "demo"
    options = ("--data.rooms", "{train: 12, validation: 4, test: 8}", "--training.iterations", "4", "--quiet")
    assert run("demo", "--out", out, *options) == 0
    assert (out / "gallery.png").exists()
    assert (out / "comparison.md").exists()
    page = (out / "report.html").read_text()
    assert page.index("The missing labels cost") < page.index("Numbers")


def test_the_shipped_network_is_shown_pictures(tmp_path):
    """Rooms it has never seen, as they are rendered for anyone: it finds most of what there is."""
    out, photos = tmp_path / "demo", tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (70, 50), "white").save(photos / "mine.png")
    assert run("demo", "--out", out, "--photos", photos, "--quiet") == 0
    assert (out / "photos" / "pictures" / "mine.png").exists()
    assert "trained on made-up rooms" in (out / "photos" / "index.html").read_text()
    assert run("demo", "--out", out, "--photos", tmp_path / "nowhere") == 2
    shipped = load_run(Path(demo.__file__).parents[1] / demo.SHIPPED)
    rooms = Subset(shipped.evaluation_data()[0], range(16))
    found = evaluate(shipped.predictor(), shipped.evaluation_batches(rooms), shipped.tasks)
    assert found.tasks["semantic"].score > 60
    assert found.tasks["depth"].score < 0.45
    assert found.tasks["normals"].score < 16


def test_a_trained_run_is_loaded_without_the_pretrained_weights_it_began_with(folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(folder / "run", copy)
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
    recipe["network"]["weights"] = "gone.safetensors"
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert run("eval", copy, "--quiet") == 0
