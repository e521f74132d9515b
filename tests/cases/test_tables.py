"""Tables, lists and annotation files as people have them: every label goes to its image, or one line says why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.adapters.runs import runs_of
from crosstask.data.decode.files import load_label
from crosstask.data.table.split_names import used_splits
from crosstask.data.table.table import read_table
from crosstask.errors import DataError
from crosstask.recipe import Recipe
from tests.cases.situations import checked, said, splits


def scenes(*more: str) -> int:
    return main(["table", ".", "--out", "t.csv", "--image", "*/rgb/*.jpg", "--mask", "*/mask/*.png", *more])


@pytest.mark.parametrize("list_", ["labelled.txt", "labelled_ids.txt"])
def test_02_lists_folders(situation, list_, capsys):
    """Lists that name files by path or by id: the images of the other folder stay unlabelled."""
    situation("02_lists_folders")
    assert scenes("--split", "train") == 0
    assert main(["convert", "lists", "t.csv", "--out", "l.csv", "--labelled", list_]) == 0
    rows = {row["image"]: row["mask"] for row in read_table("l.csv").rows}
    assert {image for image, mask in rows.items() if mask} == {"sceneA/rgb/0000.jpg", "sceneA/rgb/0001.jpg"}
    assert rows["sceneA/rgb/0001.jpg"] == "sceneA/mask/0001.png"


def test_02_lists_folders_a_name_of_several_images_is_an_error(situation, capsys):
    situation("02_lists_folders")
    assert scenes("--split", "train") == 0
    Path("names.txt").write_text("0000\n0001\n")
    assert main(["convert", "lists", "t.csv", "--out", "l.csv", "--labelled", "names.txt"]) == 2
    assert "'0000' fits 2 rows" in capsys.readouterr().err
    Path("elsewhere.txt").write_text("C:\\data\\sceneB\\rgb\\0002.jpg\n")
    assert main(["convert", "lists", "t.csv", "--out", "l.csv", "--labelled", "elsewhere.txt"]) == 0
    assert [row["image"] for row in read_table("l.csv").rows if row["mask"]] == ["sceneB/rgb/0002.jpg"]


@pytest.mark.parametrize("key", ["0000", "sceneA/rgb/0000", "sceneA/rgb/0000.jpg", "sceneA/0000"])
def test_02_lists_folders_labels_by_id(situation, key, capsys):
    situation("02_lists_folders")
    Path("tags.json").write_text(json.dumps({key: ["cat"]}))
    code = scenes("--tags", "tags.json")
    if key == "0000":
        assert code == 2
        assert "the id '0000' is the name of sceneA/rgb/0000.jpg and of sceneB/rgb/0000.jpg" in capsys.readouterr().err
        return
    assert code == 0
    assert [row["image"] for row in read_table("t.csv").rows if row["tags"]] == ["sceneA/rgb/0000.jpg"]


def coco(case: str, *more: str) -> int:
    options = ["--labels", "instances", "--quiet", "--overwrite", *more]
    return main(["convert", "coco", f"root_{case}", "--out", "c.csv", *options])


@pytest.mark.parametrize("case", ["order", "subset"])
def test_03_coco_custom_classes_are_those_of_all_splits(situation, case):
    situation("03_coco_custom", case)
    assert coco(case) == 0
    classes = json.loads(Path("c_files/classes.json").read_text())
    assert classes == {"semantic": ["background", "cat", "dog", "horse"], "tags": ["cat", "dog", "horse"]}
    for row in read_table("c.csv").rows:
        label = load_label(Path(row["semantic"]))
        cat = 1 if case == "order" or row["split"] == "train" else 0
        assert (label[8, 8], label[22, 22]) == (cat, 2), row
        assert row["tags"] == ("cat;dog" if cat else "dog")


def test_03_coco_custom_ids_by_order_of_appearance(situation):
    """The same id is another class in another file: names tell classes apart."""
    situation("03_coco_custom", "order")
    path = Path("root_order/annotations/instances_val2017.json")
    content = json.loads(path.read_text())
    content["categories"] = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    for annotation in content["annotations"]:
        annotation["category_id"] = 3 - annotation["category_id"]
    path.write_text(json.dumps(content))
    assert coco("order") == 0
    for row in read_table("c.csv").rows:
        assert load_label(Path(row["semantic"]))[[8, 22], [8, 22]].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("bbox", "annotation 2 of image 1 has a box but no mask"),
        ("empty", "annotation 2 of image 1 has a box but no mask"),
        ("point", "annotation 2 of image 1 has a box but no mask"),
        ("line", "annotation 2 of image 1 has a box but no mask"),
        ("rle", "annotation 2 of image 1: the runs of its mask cover 356 pixels, the image has 1024"),
        ("cat", "annotation 2 of image 1 has the category_id 77, which the file does not list"),
    ],
)
def test_03_coco_custom_annotations_that_hold_no_mask(situation, case, words, capsys):
    situation("03_coco_custom", case)
    assert coco(case) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "instances_train2017.json" in message
    assert "fault of crosstask" not in message
    if "box" in words:
        for boxes, value in (("unknown", 255), ("fill", 2)):
            assert coco(case, "--boxes", boxes) == 0
            row = read_table("c.csv").rows[0]
            label = load_label(Path(row["semantic"]))
            assert (label[18:28, 18:28] == value).all()
            assert label[8, 8] == 1
            assert row["tags"] == "cat;dog"


def test_03_coco_custom_more_than_255_classes(situation):
    situation("03_coco_custom", "lvis")
    assert coco("lvis") == 0
    label = load_label(Path(read_table("c.csv").rows[0]["semantic"]))
    assert label.dtype == np.uint16
    assert label[22, 22] == 290
    names = json.loads(Path("c_files/classes.json").read_text())["semantic"]
    assert names[290] == "c289"
    task = {"kind": "segmentation", "classes": names}
    recipe = Recipe.of({"data": {"table": "c.csv", "validation_fraction": 0}, "tasks": {"semantic": task}})
    assert splits(recipe).train[0].targets["semantic"][22, 22] == 290
    assert not [error for error in checked(recipe).errors if error.where == "semantic"]


def compressed(runs: list[int]) -> str:
    """COCO's text for runs: ``rleToString`` of its ``maskApi``, written anew."""
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            digit, value = value & 31, value >> 5
            done = value == (-1 if digit & 16 else 0)
            text += chr(48 + (digit if done else digit | 32))
            if done:
                break
    return text


@pytest.mark.parametrize("seed", range(5))
def test_03_coco_custom_compressed_runs(seed):
    runs = np.random.default_rng(seed).integers(1, 400, 50).tolist()
    assert runs_of(compressed(runs), "x") == runs


def test_03_coco_custom_compressed_masks_are_painted(situation):
    situation("03_coco_custom", "rle")
    mask = np.zeros((32, 32), int)
    mask[18:28, 18:28] = 1
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    for path in Path("root_rle/annotations").iterdir():
        content = json.loads(path.read_text())
        content["annotations"][1]["segmentation"]["counts"] = compressed(np.diff([0, *edges, flat.size]).tolist())
        path.write_text(json.dumps(content))
    assert coco("rle") == 0
    np.testing.assert_array_equal(load_label(Path(read_table("c.csv").rows[0]["semantic"])) == 2, mask == 1)


def exported(situation):
    case = situation("09_valid_split")
    options = ["--split", "train,valid,test", "--image", "{split}/rgb/*.png", "--semantic", "{split}/mask/*.png"]
    assert main(["table", ".", "--out", "t.csv", *options]) == 0
    return case


def test_09_valid_split(situation):
    """Folders train, valid and test: valid is the validation split."""
    recipe = exported(situation).recipe()
    found = splits(recipe)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [20, 6, 6]
    assert "used by nothing" not in said(checked(recipe))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["train", "val", "test"], (("train",), "val", "test", ())),
        (["train", "valid", "test"], (("train",), "valid", "test", ())),
        (["training", "validation", "testing"], (("training",), "validation", "testing", ())),
        (["Train", "Dev"], (("Train",), "Dev", None, ())),
        (["train", "val", "valid"], (("train",), "val", None, ("valid",))),
        (["train", "holdout"], (("train",), None, None, ("holdout",))),
    ],
)
def test_09_valid_split_spellings(there, expected):
    used = used_splits(there, "train", "val", "test")
    assert (used.train, used.validation, used.test, used.unused) == expected


@pytest.mark.parametrize(
    ("train", "validation", "test", "expected"),
    [
        ("training", "val", "validation", (("training",), None, "validation", ())),
        ("train", "val", "val", (("train",), None, "val", ("holdout",))),
        ("train,val", "val", "test", (("train", "val"), None, None, ("holdout",))),
        ("train", "holdout", "val", (("train",), "holdout", "val", ())),
    ],
)
def test_09_what_is_trained_or_tested_on_is_never_validated_on(train, validation, test, expected):
    """Else the best checkpoint would be chosen on the images that the number is reported on."""
    there = ["training", "validation"] if train == "training" else ["train", "val", "holdout"]
    used = used_splits(there, train, validation, test)
    assert (used.train, used.validation, used.test, used.unused) == expected


def test_09_a_validation_split_that_is_tested_on_is_refused(situation):
    case = exported(situation)
    table = read_table("t.csv")
    rows = [(row["image"], row["semantic"], str(index % 3)) for index, row in enumerate(table.rows)]
    case.table("folds.csv", ["image", "semantic", "split"], rows)
    named = {"table": "folds.csv", "train_split": "0", "validation_split": "1"}
    assert splits(case.recipe(named | {"test_split": "2"})).validation
    for other in ({"test_split": "1"}, {"train_split": "0,1"}):
        with pytest.raises(DataError, match="validation_split: '1' is trained or tested on too: name another"):
            splits(case.recipe(named | other))


def test_09_valid_split_of_numbers(situation):
    """Folds are numbers: they work as names of splits, several of them to train on; what nothing uses is told."""
    case = exported(situation)
    table = read_table("t.csv")
    rows = [(row["image"], row["semantic"], str(index % 5)) for index, row in enumerate(table.rows)]
    case.table("folds.csv", ["image", "semantic", "split"], rows)
    recipe = case.recipe({"table": "folds.csv", "train_split": 0, "validation_split": 4})
    found = splits(recipe)
    assert (len(found.train), len(found.validation)) == (7, 6)
    told = said(checked(recipe), "warning")
    for fold in "123":
        assert f"labelled rows of split '{fold}' are used by nothing" in told
    recipe = case.recipe({"table": "folds.csv", "train_split": "0,1,2,3", "validation_split": 4})
    assert len(splits(recipe).train) == 26
    assert "used by nothing" not in said(checked(recipe), "warning")
    with pytest.raises(DataError, match="no row of split '7'"):
        splits(case.recipe({"table": "folds.csv", "train_split": 0, "validation_split": 7}))


def test_numbers_that_yaml_reads_work_as_text():
    recipe = Recipe.load("demo", ["--training.precision", "32", "--data.train_split", "0"])
    assert (recipe.training.precision, recipe.data.train_split) == ("32", "0")


@pytest.mark.parametrize(
    "text",
    [
        "image,split,kind\na.png,train,x\n",
        "\ufeffimage,split,kind\r\na.png,train,x\r\n",
        "image;split;kind\na.png;train;x\n",
        "image\tsplit\tkind\na.png\ttrain\tx\n",
        '"image","split","kind"\n"a.png","train","x"\n',
    ],
)
def test_dialects_of_csv(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert read_table(tmp_path / "t.csv").rows == [{"image": "a.png", "split": "train", "kind": "x", "id": "a"}]


def test_columns_of_tags_mean_the_same_in_all_splits(tmp_path, monkeypatch):
    """A column that holds 0 and 1 in one file and 2 in another is no flag in either: tags where it is asked for."""
    monkeypatch.chdir(tmp_path)
    for split, values in (("train", (0, 1)), ("test", (1, 2))):
        (tmp_path / split).mkdir()
        for i in range(2):
            Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / split / f"{split}{i}.png")
        body = "".join(f"{split}{i},{value},{float(i)}\n" for i, value in enumerate(values))
        (tmp_path / f"{split}.csv").write_text("id,lobes,round\n" + body)
    options = ["--split", "train,test", "--image", "{split}/*.png", "--traits"]
    assert main(["table", ".", "--out", "all.csv", *options, "{split}.csv:*"]) == 0
    assert [row["traits"] for row in read_table("all.csv").rows] == ["-", "round", "-", "round"]
    assert main(["table", ".", "--out", "t.csv", *options, "{split}.csv:lobes,round"]) == 0
    assert [row["traits"] for row in read_table("t.csv").rows] == [
        "lobes=0", "lobes=1;round", "lobes=1", "lobes=2;round",
    ]  # fmt: skip
