"""The command as a person uses it, on a tiny run; near-duplicates; folds."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from crosstask.audit.duplicates import duplicates, nearest_pairs
from crosstask.cli import main
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import Table
from crosstask.tasks import Category, Segmentation
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    recipe = write_recipe(folder, write_tiny(folder, 12))
    recipe.write_text(recipe.read_text().replace("labels: one", "labels: full"))
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def _read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_label_once_in_order_with_pictures(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["audit", str(run), "--out", str(out), "--show", "3", "--quiet", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = _read(out / "audit.csv")
    tasks = ("semantic", "depth", "normals", "tags", "place")
    given = {(row["id"], task) for row in _read(run / "labels.csv") for task in tasks if row[task]}
    audited = {(row["id"], row["task"]) for row in rows}
    assert audited <= given
    assert len(audited) == len(rows) == said["labels"]
    scores = [float(row["suspicion"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [each["id"] for each in said["suspects"]] == [row["id"] for row in rows[:3]]
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert page.count('class="card"') == 3
    assert page.count('class="key"') >= 1  # what the colours mean
    assert "data:image/jpeg" in page


def test_depth_that_is_known_at_a_single_pixel_is_audited(tmp_path):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path, 12))
    recipe.write_text(recipe.read_text().replace("labels: one", "labels: full"))
    for place, file in enumerate((tmp_path / "depth").iterdir()):
        depth = np.zeros((32, 48), np.uint16)
        depth[0, 0] = 1500 + 10 * place
        Image.fromarray(depth).save(file)
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    assert main(["audit", str(tmp_path / "run"), "--tasks", "depth", "--show", "1", "--quiet"]) == 0
    rows = _read(tmp_path / "run/audit/audit.csv")
    assert len(rows) == 6  # of 9 images for training 3 are held out


def test_labels_that_were_corrected_are_looked_at_anew(tmp_path):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path, 12))
    recipe.write_text(recipe.read_text().replace("labels: one", "labels: full"))
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 0

    def losses(out):
        assert main(["audit", str(tmp_path / "run"), "--out", str(tmp_path / out), "--show", "0", "--quiet"]) == 0
        return {(row["id"], row["task"]): row["loss"] for row in _read(tmp_path / out / "audit.csv")}

    before = losses("out")
    key = next(key for key in before if key[1] == "semantic")
    mask = tmp_path / "semantic" / f"{key[0]}.png"
    Image.fromarray(2 - np.asarray(Image.open(mask))).save(mask)
    after = losses("out")
    assert before[key] != after[key]
    assert after == losses("fresh")


def test_the_odds_of_every_fault_stand_in_the_table(tmp_path):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path, 32))
    recipe.write_text(recipe.read_text().replace("labels: one", "labels: full"))
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    assert main(["audit", str(tmp_path / "run"), "--show", "1", "--quiet"]) == 0
    rows = _read(tmp_path / "run/audit/audit.csv")
    named = list(rows[0])[list(rows[0]).index("loss") + 1 :]
    for row in rows:
        odds = {name: float(row[name]) for name in named if row[name]}
        assert odds
        if row["reason"] != "duplicate":
            assert row["reason"] == max(odds, key=odds.__getitem__)
            assert float(row["suspicion"]) == pytest.approx(np.logaddexp.reduce(list(odds.values())), abs=0.02)
    assert {"foreign", "swapped", "added", "frame", "contradicted"} <= set(named)


def test_folds_are_trained_without_the_labels_they_judge(run, tmp_path):
    out = tmp_path / "out"
    typed = ["audit", str(run), "--folds", "2", "--out", str(out), "--tasks", "semantic,depth", "--quiet"]
    assert main([*typed, "--training.iterations", "2"]) == 0
    rows = _read(out / "audit.csv")
    (made,) = (out / "folds").iterdir()
    lists = [json.loads((made / f"fold_{number}.json").read_text()) for number in range(2)]
    for task in ("semantic", "depth"):
        judged = {row["id"] for row in rows if row["task"] == task}
        assert judged == set(lists[0][task]) | set(lists[1][task])
        assert not set(lists[0][task]) & set(lists[1][task])
    assert main([*typed, "--training.iterations", "1"]) == 0
    assert len(list((out / "folds").iterdir())) == 2
    assert main([*typed, "--training.iterations", "2"]) == 0
    assert len(list((out / "folds").iterdir())) == 2  # those that are trained are kept


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--tasks", "dept"], "did you mean 'depth'"),
        (["--training.iterations", "3"], "--folds K"),
        (["--folds", "2", "--split", "test"], "leave out --split"),
        (["--folds", "90"], "give fewer folds"),
        (["--split", "nowhere"], "no split"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, tmp_path, capsys, typed, said):
    assert main(["audit", str(run), *typed, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]


def test_nearest_pairs_are_those_of_a_slow_search():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)).astype(np.float32)
    features[20] = features[3] + 0.01
    features[31] = features[8] + 0.02
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert nearest_pairs(features)[:2] == [(3, 20), (8, 31)]
    assert nearest_pairs(features[:1]) == []


def test_hardly_a_near_duplicate_is_missed_among_many_in_little_time():
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(60, 32))
    features = (kinds[rng.integers(0, 60, 6000)] + 0.7 * rng.normal(size=(6000, 32))).astype(np.float32)
    features[3000:3100] = features[:100] + 0.02 * rng.normal(size=(100, 32))
    features[5000:] = features[4999]  # however many are alike
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    pairs = set(nearest_pairs(features, 10_000))
    assert sum((index, 3000 + index) in pairs for index in range(100)) >= 97
    alike = {index for pair in pairs for index in pair if index >= 4999}
    assert len(alike) == 1001


def test_the_same_image_with_another_label_is_found(tmp_path):
    path = write_tiny(tmp_path, 6)
    rows = _read(path)
    shutil.copy(tmp_path / rows[0]["image"], tmp_path / "again.png")
    rows.append(rows[0] | {"id": "again", "image": "again.png", "place": "indoor", "semantic": rows[0]["semantic"]})
    tasks = {"place": Category("place", classes=["indoor", "outdoor"]),
             "semantic": Segmentation("semantic", classes=["floor", "wall", "box"])}  # fmt: skip
    dataset = TableDataset(Table(path, tuple(rows[0]), rows), tasks)
    features = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    features[6] = features[0]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    found = duplicates(dataset, features, tasks)
    assert rows[0]["place"] == "outdoor"
    assert found["place"][0] == found["place"][6] > 1
    assert found["semantic"][0] == pytest.approx(0, abs=1e-4)
    assert np.isnan(found["place"][1:6]).all()
