"""The command as a person uses it, on a tiny run."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from crosstask.cli import main
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suggest")
    recipe = write_recipe(folder, write_tiny(folder, 12))
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def _read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_ranks_pairs_without_a_label_and_packs_them(run, tmp_path, capsys):
    out = tmp_path / "out"
    typed = [
        "suggest",
        str(run),
        "--budget",
        "6",
        "--cost",
        "depth=2,semantic=2",
        "--out",
        str(out),
        "--quiet",
        "--json",
    ]
    assert main(typed) == 0
    said = json.loads(capsys.readouterr().out)
    ranked = _read(out / "suggestions.csv")
    assert [row["id"] for row in ranked] == [each["id"] for each in said["suggestions"]]
    assert sum(float(row["cost"]) for row in ranked) <= 6
    labelled = {(row["id"], task) for row in _read(run / "labels.csv") for task, cell in row.items() if cell}
    every = {(row["id"], row["task"]) for row in _read(out / "scores.csv")}
    assert not every & labelled
    assert {(row["id"], row["task"]) for row in ranked} <= every
    values = [float(row["value"]) for row in ranked]
    assert values == sorted(values, reverse=True) or any(row["cost"] != "1" for row in ranked)
    package = _read(out / "package" / "images.csv")
    predicted = _read(out / "package" / "predictions" / "table.csv")
    assert [row["id"] for row in package] == [row["id"] for row in predicted]
    assert all((out / "package" / "predictions" / row["semantic"]).is_file() for row in predicted)
    assert main(typed) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_other_images_and_tasks_are_chosen_from(run, tmp_path):
    out = tmp_path / "out"
    folder = run.parent / "image"
    typed = [
        "--budget",
        "3",
        "--images",
        str(folder),
        "--tasks",
        "tags",
        "--scales",
        "1",
        "--no-package",
        "--snapshots",
    ]
    assert main(["suggest", str(run), *typed, "--out", str(out), "--quiet"]) == 0
    rows = _read(out / "scores.csv")
    assert len(rows) == 12
    assert {row["task"] for row in rows} == {"tags"}
    assert not (out / "package").exists()


def test_a_package_for_the_annotation_tool_whose_images_are_found_wherever_it_is_read_from(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    typed = ["suggest", str(run), "--budget", "4", "--out", str(out), "--quiet", "--as", "coco"]
    assert main(typed) == 0
    for name in ("suggestions.csv", "scores.csv", "package/images.csv"):
        for row in _read(out / name):
            assert not Path(row["image"]).is_absolute()
            assert (out / name).parent.joinpath(row["image"]).is_file()
    asked = _read(out / "package/images.csv")
    said = json.loads(next((out / "package/coco").rglob("*.json")).read_text())
    assert len(said["images"]) == len(asked)
    assert said["categories"]
    monkeypatch.chdir(tmp_path.parent)
    predicted = ["predict", str(run), str(out / "package/images.csv"), "--out", str(tmp_path / "p"), "--quiet"]
    assert main(predicted) == 0
    assert [row["id"] for row in _read(tmp_path / "p/table.csv")] == [row["id"] for row in asked]


def test_other_images_of_the_same_names_are_looked_at_anew(run, tmp_path):
    for path in (run.parent / "image").iterdir():
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
        picture = Image.open(path)
        picture.save(tmp_path / "a" / path.name)
        ImageOps.invert(picture).save(tmp_path / "b" / path.name)

    def scores(images, out):
        typed = ["--budget", "3", "--images", str(tmp_path / images), "--scales", "1", "--no-package", "--overwrite"]
        assert main(["suggest", str(run), *typed, "--out", str(tmp_path / out), "--quiet"]) == 0
        return [row | {"image": ""} for row in _read(tmp_path / out / "scores.csv")]

    first = scores("a", "out")
    assert first != scores("b", "out") == scores("b", "fresh")


@pytest.mark.parametrize("command", ["suggest", "audit"])
def test_every_image_is_decoded_once(run, tmp_path, monkeypatch, command):
    from crosstask.data.loading import dataset

    read = Counter()
    load = dataset.load_image

    def counted(path, *rest, **options):
        read[str(path)] += 1
        return load(path, *rest, **options)

    monkeypatch.setattr(dataset, "load_image", counted)
    typed = {"suggest": ["--budget", "3", "--no-package"], "audit": ["--show", "0"]}[command]
    assert main([command, str(run), *typed, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert read
    assert set(read.values()) == {1}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--budget", "3", "--cost", "depht=3"], "did you mean 'depth'"),
        (["--budget", "3", "--cost", "depth"], "TASK=NUMBER"),
        (["--budget", "3", "--cost", "depth=0"], "positive"),
        (["--budget", "3", "--tasks", "dept"], "did you mean 'depth'"),
        (["--budget", "3", "--scales", "0"], "between 1/16 and 16"),
        (["--budget", "0.5"], "no label is that cheap"),
        (["--budget", "3", "--as", "coko"], "did you mean 'coco'"),
        (["--budget", "3", "--as", "coco", "--no-package"], "leave out --no-package"),
        (["--budget", "3", "--images", "/nowhere"], "no such file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, tmp_path, capsys, typed, said):
    assert main(["suggest", str(run), *typed, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
