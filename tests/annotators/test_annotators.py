"""Opinions against slow references, and the command from both forms of tables."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from statistics import median

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from crosstask.annotators.agreement import Agreement
from crosstask.annotators.opinions import Classes, Directions, Numbers, Presence
from crosstask.cli import main
from crosstask.data.table.table import read_table


def test_masks_are_fused_by_weighted_majority_and_ties_are_unknown():
    values = torch.randint(-1, 3, (4, 5, 6), generator=torch.Generator().manual_seed(0))
    weights = [2.0, 1.0, 1.0, 1.0]
    fused = Classes(3).fuse(values, torch.tensor(weights))
    for y in range(5):
        for x in range(6):
            votes: Counter[int] = Counter()
            for value, weight in zip(values[:, y, x].tolist(), weights, strict=True):
                if value >= 0:
                    votes[value] += weight
            top = votes.most_common()
            tie = not top or (len(top) > 1 and top[0][1] == top[1][1])
            assert fused.value[y, x] == (-1 if tie else top[0][0])
            assert float(fused.confidence[y, x]) == pytest.approx(0 if tie else top[0][1] / sum(votes.values()))


def test_depth_is_fused_by_the_weighted_median():
    values = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1)) + 1
    values[0, 0, 0], values[:, 0, 1, 1] = torch.nan, torch.nan
    weights = [1, 2, 1, 3, 1]
    fused = Numbers(True, True).fuse(values, torch.tensor(weights))
    assert fused.confidence.shape == (4, 4)
    for y in range(4):
        for x in range(4):
            column = zip(values[:, 0, y, x].tolist(), weights, strict=True)
            said = [value for value, weight in column if value == value for _ in range(weight)]
            if said:
                assert float(fused.value[0, y, x]) == pytest.approx(median(said))
            else:
                assert fused.value[0, y, x].isnan()


def test_normals_and_tags():
    values = torch.nn.functional.normalize(torch.randn(3, 3, 2, 2, generator=torch.Generator().manual_seed(2)), dim=1)
    fused = Directions().fuse(values, torch.tensor([1.0, 2.0, 1.0]))
    mean = (values * torch.tensor([1.0, 2.0, 1.0]).reshape(3, 1, 1, 1)).sum(0) / 4
    torch.testing.assert_close(fused.value, mean / mean.norm(dim=0))
    assert Directions().fuse(torch.stack([values[0], -values[0]]), torch.ones(2)).value.isnan().all()
    tags = torch.tensor([[1.0, 0.0, 1.0, torch.nan], [1.0, 1.0, torch.nan, torch.nan], [0.0, 0.0, 1.0, torch.nan]])
    assert Presence().fuse(tags, torch.ones(3)).value[:3].tolist() == [1, 0, 1]
    assert Presence().fuse(tags, torch.ones(3)).value[3].isnan()
    assert Presence().fuse(tags[:2], torch.ones(2)).value[1].isnan()  # one says yes, one says no


def test_kappa_is_that_of_scikit_learn():
    first, second = torch.randint(-1, 4, (2, 50, 10), generator=torch.Generator().manual_seed(3))
    found = Agreement(Classes(4))
    for start in range(0, 50, 10):  # image by image
        found.add(first[start : start + 10], second[start : start + 10])
    known = (first >= 0) & (second >= 0)
    assert found.numbers["kappa"] == pytest.approx(cohen_kappa_score(first[known], second[known]))


def test_tags_given_as_probabilities_agree_where_they_are_on_one_side_of_a_half():
    found = Agreement(Presence())
    found.add(torch.tensor([0.9, 0.8, 0.1, 0.5]), torch.tensor([1.0, 0.6, 0.2, 0.0]))
    assert (found.numbers["different %"], found.numbers["kappa"], found.numbers["miou %"]) == (0, 1, 100)


@pytest.fixture
def wide(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for index in range(3):
        row = {"image": f"{index}.png"}
        Image.fromarray(rng.integers(0, 255, (8, 9, 3), np.uint8)).save(tmp_path / row["image"])
        mask = rng.integers(0, 3, (8, 9)).astype(np.uint8)
        for name, wrong in (("anna", 0), ("ben", 0), ("cleo", 5)):
            drawn = mask.copy()
            drawn[:wrong] = (drawn[:wrong] + 1) % 3
            row[f"semantic@{name}"], row[f"tags@{name}"] = f"{index}{name}.png", "cat;dog" if wrong else "cat"
            Image.fromarray(drawn).save(tmp_path / row[f"semantic@{name}"])
        rows.append(row)
    with (tmp_path / "wide.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with (tmp_path / "long.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "annotator", "semantic", "tags"])
        for row in rows:
            for name in ("anna", "ben", "cleo"):
                writer.writerow([row["image"], name, row[f"semantic@{name}"], row[f"tags@{name}"]])
    return tmp_path


@pytest.mark.parametrize("form", ["wide", "long"])
def test_the_command_says_who_agrees_and_fuses(wide, capsys, form):
    typed = ["agree", str(wide / f"{form}.csv"), "--fuse", str(wide / "out/fused.csv"), "--quiet"]
    (wide / "out").mkdir()
    assert main(typed) == 0
    said = capsys.readouterr().out
    assert re.search(r"semantic │ anna, ben +│ kappa +│ 1.000", said)
    assert re.search(r"semantic │ anna, cleo +│ different % +│ 62.500", said)
    assert main([*typed, "--overwrite", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (row,) = [each for each in printed["agreement"] if (each["task"], each["second"]) == ("semantic", "ben")
              and each["first"] == "anna"]  # fmt: skip
    assert row["numbers"]["kappa"] == 1
    assert printed["fused"]["images"] == 3
    table = read_table(wide / "out/fused.csv")
    assert [row["tags"] for row in table.rows] == ["cat"] * 3
    for index, row in enumerate(table.rows):
        fused = np.array(Image.open(table.folder / row["semantic"]))
        assert (fused == np.array(Image.open(wide / f"{index}anna.png"))).all()
        weight = np.array(Image.open(table.folder / row["semantic.weight"]))
        assert set(weight[:5].ravel()) == {170}
        assert set(weight[5:].ravel()) == {255}
    assert main(["check", str(wide / "out/fused.csv"), "--quiet", "--workers", "0"]) == 0
    assert main(typed) == 2  # it is there already


def test_weights_given_or_estimated(wide, capsys):
    out = wide / "fused.csv"
    typed = ["agree", str(wide / "wide.csv"), "--fuse", str(out), "--quiet", "--overwrite", "--weights"]
    assert main([*typed, "cleo=3"]) == 0
    assert (np.array(Image.open(wide / read_table(out).rows[0]["semantic"])) ==
            np.array(Image.open(wide / "0cleo.png"))).all()  # fmt: skip
    assert main([*typed, "estimate"]) == 0
    weights = dict(line.rsplit(": ", 1) for line in capsys.readouterr().out.splitlines() if line.startswith("weight"))
    assert float(weights["weight of cleo for semantic"]) < float(weights["weight of anna for semantic"])
    for wrong in ("dora=1", "anna=0", "anna"):
        assert main([*typed, wrong]) == 2


@pytest.mark.parametrize("flags", [["--weights", "anna=2"], ["--overwrite"]])
def test_what_only_fusing_reads_is_refused_without_it(wide, capsys, flags):
    assert main(["agree", str(wide / "wide.csv"), "--quiet", *flags]) == 2
    assert f"{flags[0]}: is of the table that --fuse writes" in capsys.readouterr().err


def test_a_table_without_images_is_said_to_be_that(tmp_path, capsys):
    (tmp_path / "long.csv").write_text("picture,annotator,tags\na.png,anna,cat\nb.png,anna,dog\n")
    assert main(["agree", str(tmp_path / "long.csv"), "--quiet"]) == 2
    assert "no column 'image' among picture, annotator, tags" in capsys.readouterr().err


@pytest.mark.parametrize("column", ["place", "place@"])
def test_labels_of_nobody_are_refused(tmp_path, capsys, column):
    (tmp_path / "wide.csv").write_text(f"image,{column},place@anna\n1.png,den,hall\n")
    assert main(["agree", str(tmp_path / "wide.csv"), "--quiet"]) == 2
    assert f"column '{column}' names no annotator: call it place@NAME" in capsys.readouterr().err


def test_who_confuses_what_decides_categories_and_tags(tmp_path, capsys):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 100)
    with (tmp_path / "long.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "annotator", "place", "tags"])
        for index, right in enumerate(truth):
            Image.fromarray(np.full((4, 4, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
            for name, share in (("anna", 1.0), ("ben", 0.6), ("cleo", 0.6), ("dora", 0.6)):
                said = right if rng.random() < share else rng.integers(0, 2)
                writer.writerow([f"{index}.png", name, ("indoor", "outdoor")[said], ("cat", "cat;dog")[said]])
    (tmp_path / "recipe.yaml").write_text(
        "tasks:\n  place: {kind: category, classes: [indoor, outdoor]}\n  tags: {kind: tags, classes: [cat, dog]}\n"
    )
    out = tmp_path / "fused.csv"
    typed = ["agree", str(tmp_path / "long.csv"), "--recipe", str(tmp_path / "recipe.yaml"), "--fuse", str(out)]
    assert main([*typed, "--weights", "dawid_skene", "--quiet"]) == 0
    rights = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().out.splitlines() if "is right with" in line]
    assert rights[0] > 0.9 > max(rights[1:4])
    rows = read_table(out).rows
    for column, names in (("place", ("indoor", "outdoor")), ("tags", ("cat", "cat;dog"))):
        assert np.mean([row[column] == names[right] for row, right in zip(rows, truth, strict=True)]) > 0.95
    assert all(0.5 <= float(row["place.weight"]) <= 1 for row in rows)


def test_nothing_is_said_of_who_confuses_what_in_a_task_they_never_label(tmp_path, capsys):
    rows = ["image,place@anna,place@ben,tags@ben,tags@cleo"]
    for index in range(6):
        Image.fromarray(np.full((4, 4, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,{index % 2},{index % 2},{index % 3 // 2};?,{index % 3 // 2};1")
    (tmp_path / "wide.csv").write_text("\n".join(rows).replace("?", "null"))
    (tmp_path / "recipe.yaml").write_text(
        "tasks:\n  place: {kind: category, classes: 2}\n  tags: {kind: tags, classes: 2, unknown: ['null']}\n"
    )
    typed = ["agree", str(tmp_path / "wide.csv"), "--recipe", str(tmp_path / "recipe.yaml"), "--fuse"]
    assert main([*typed, str(tmp_path / "fused.csv"), "--weights", "dawid_skene", "--quiet", "--json"]) == 0
    right = {(each["task"], each["of"]): each["probability"] for each in json.loads(capsys.readouterr().out)["right"]}
    assert set(right) == {("place", "anna"), ("place", "ben"), ("tags", "ben"), ("tags", "cleo")}
    assert right["place", "anna"] == right["place", "ben"] > 0.9
    assert right["tags", "ben"] == pytest.approx(right["tags", "cleo"], abs=0.1)  # ben of the first tag alone


def test_maps_cannot_be_weighed_by_confusions(wide, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("tasks:\n  semantic: {kind: segmentation, classes: 3}\n")
    typed = ["agree", str(wide / "wide.csv"), "--recipe", str(recipe), "--fuse", str(tmp_path / "o.csv"), "--quiet"]
    assert main([*typed, "--weights", "dawid_skene"]) == 2
    assert "categories and tags" in capsys.readouterr().err
