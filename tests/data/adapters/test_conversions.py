"""What the adapters make of fake copies, value by value, and what they say of incomplete ones."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from crosstask.cli import main
from crosstask.data.adapters import ADAPTERS, convert
from crosstask.data.adapters.cityscapes import depth_of
from crosstask.data.adapters.lists import read_names
from crosstask.data.decode.files import load_label
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.errors import DataError
from crosstask.recipe import Recipe
from tests.data.adapters import (
    fake_attributes,
    fake_cityscapes,
    fake_coco,
    fake_nyuv2_mat,
    fake_preprocessed,
    fake_voc,
)
from tests.data.adapters.scenes import scene


def converted(name, root, out, **options):
    return convert(ADAPTERS[name](str(root), **options), out, workers=1).table


def column(table, name):
    return {row["id"]: row[name] for row in table.rows}


# -- the preprocessed copies ---------------------------------------------------------------------------------------


def test_preprocessed_nyuv2(tmp_path):
    fake_preprocessed.write_nyuv2(tmp_path / "nyu", train=2, test=1)
    made = convert(ADAPTERS["nyuv2_npy"](str(tmp_path / "nyu"), regions="sam"), tmp_path / "t" / "nyu.csv")
    assert made.table.ids == ["train/0", "train/1", "test/0"]
    assert column(made.table, "depth")["test/0"] == "../nyu/val/depth/0.npy"
    assert "train: 2 images of 795 in the whole set; labels: semantic 2, depth 2, normals 2" in str(made)
    dataset = TableDataset(made.table, Recipe.load("nyuv2_npy").tasks(), "train", regions=True)
    sample, truth = dataset[1], scene(1, 288, 384)
    assert torch.equal(
        sample.targets["semantic"][50].unique(), torch.tensor(sorted({4, 9 if truth.box[50].any() else 4}))
    )
    assert (sample.targets["semantic"][:20] == -1).all()
    assert sample.targets["depth"][0, :, :10].isnan().all()
    assert sample.targets["normals"][:, -10:].isnan().all()
    assert sample.intrinsics.isnan().all()
    assert np.array_equal(sample.regions.numpy(), truth.box)


@pytest.mark.parametrize("label", ["label_7", "label"])
def test_preprocessed_cityscapes(label, tmp_path):
    fake_preprocessed.write_cityscapes(tmp_path, train=1, test=1, label=label)
    table = converted("cityscapes_npy", tmp_path, tmp_path / "t.csv")
    tasks = Recipe.load("cityscapes_npy").tasks()
    disparity = TableDataset(table, tasks)[0].targets["disparity"]
    assert disparity[0, :, :10].isnan().all()
    np.testing.assert_allclose(disparity[0, :, 10:], 0.3 / scene(0, 128, 256).depth[:, 10:], rtol=1e-6)
    # what is written again is as exact as the stored disparities are
    task = tasks["disparity"]
    np.testing.assert_allclose(task.parse(task.encode(disparity)), disparity, atol=1e-5)


def test_an_incomplete_preprocessed_copy(tmp_path):
    with pytest.raises(DataError, match=r"train: not there; it should hold the train part .* README of MTAN"):
        converted("nyuv2_npy", tmp_path, tmp_path / "t.csv")
    fake_preprocessed.write_nyuv2(tmp_path, train=3, test=1)
    (tmp_path / "train" / "depth" / "1.npy").unlink()
    with pytest.raises(
        DataError, match=r"depth/1\.npy: not there, as 1 of 3 files with depth .* complete the download"
    ):
        converted("nyuv2_npy", tmp_path, tmp_path / "t.csv")
    (tmp_path / "train" / "image" / "1.npy").unlink()
    with pytest.raises(DataError, match=r"image/1\.npy: not there"):
        converted("nyuv2_npy", tmp_path, tmp_path / "t.csv")
    shutil.rmtree(tmp_path / "train" / "normal")
    with pytest.raises(DataError, match=r"normal: not there"):
        converted("nyuv2_npy", tmp_path, tmp_path / "t.csv")


# -- NYU-v2, the labeled file --------------------------------------------------------------------------------------


def test_nyuv2_mat(tmp_path):
    root = tmp_path / "nyu"
    fake_nyuv2_mat.write(root)
    maps = {"map40": str(root / "classMapping40.mat"), "map13": str(root / "class13Mapping.mat")}
    table = converted("nyuv2_mat", root, tmp_path / "nyu.csv", **maps, normals="derived", border=4)
    assert column(table, "split") == {
        "0001": "test", "0002": "train", "0003": "train", "0004": "test", "0005": "train", "0006": "train"
    }  # fmt: skip
    truth = scene(2, 120, 160)
    row = {name: table.resolve(2, name) for name in ("image", "depth", "semantic40", "semantic13")}
    assert np.array_equal(load_label(row["image"]), truth.image[4:-4, 4:-4])
    np.testing.assert_allclose(load_label(row["depth"]) / 1000, truth.depth[4:-4, 4:-4], atol=5.1e-4)
    classes = load_label(row["semantic40"])
    assert set(np.unique(classes[1:])) == {1, 28}
    assert (classes[:1] == 255).all()
    assert np.array_equal(load_label(row["semantic13"])[1:], np.where(truth.box[5:-4, 4:-4], 6, 4))
    assert table.rows[0]["cx"] == "321.582449"
    tasks = Recipe.load("nyuv2_mat").tasks()
    normals = TableDataset(table, tasks)[2].targets["normals_derived"]
    box = torch.from_numpy(truth.box[4:-4, 4:-4])
    assert normals[2][box].median() > 0.999  # the box faces the viewer
    # the floor: 1/z = 0.1 + 0.4 y / 120, so n ~ (0, fy 0.4 / 120, 1/z at cy)
    floor = torch.nn.functional.normalize(
        torch.tensor([0, 519.469611 * 0.4 / 120, 0.1 + 0.4 * 253.736166 / 120]), dim=0
    )
    torch.testing.assert_close(normals[:, ~box].as_subclass(torch.Tensor).median(1).values, floor, rtol=0, atol=6e-3)


def test_nyuv2_mat_takes_normals_from_a_folder(tmp_path):
    fake_nyuv2_mat.write(tmp_path, count=3)
    for number in (1, 2):
        (tmp_path / "normals").mkdir(exist_ok=True)
        (tmp_path / "normals" / f"{number:05}.png").write_bytes(b"")
    with pytest.raises(DataError, match="holds no normal map 0003"):
        converted("nyuv2_mat", tmp_path, tmp_path / "nyu.csv", normals=str(tmp_path / "normals"))
    (tmp_path / "normals" / "3.npy").write_bytes(b"")
    table = converted("nyuv2_mat", tmp_path, tmp_path / "nyu.csv", normals=str(tmp_path / "normals"))
    assert column(table, "normals") == {
        "0001": "normals/00001.png", "0002": "normals/00002.png", "0003": "normals/3.npy"
    }  # fmt: skip
    assert "semantic40" not in table.columns


def test_an_incomplete_nyuv2_mat(tmp_path):
    with pytest.raises(DataError, match=r"nyu_depth_v2_labeled\.mat: not there.*page of its authors"):
        converted("nyuv2_mat", tmp_path, tmp_path / "t.csv")
    fake_nyuv2_mat.write(tmp_path, count=3)
    with pytest.raises(DataError, match=r"map it 40|give their map with --map40 too"):
        converted("nyuv2_mat", tmp_path, tmp_path / "t.csv", map13=str(tmp_path / "class13Mapping.mat"))
    with pytest.raises(DataError, match=r"needs one vector of 894 classes.*trainNdxs"):
        converted("nyuv2_mat", tmp_path, tmp_path / "t.csv", map40=str(tmp_path / "splits.mat"))
    with pytest.raises(DataError, match=r"holds no vector trainNdxs"):
        converted("nyuv2_mat", tmp_path, tmp_path / "t.csv", splits=str(tmp_path / "classMapping40.mat"))
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="not a whole HDF5 file"):
        converted("nyuv2_mat", tmp_path, tmp_path / "t.csv")


# -- Cityscapes ----------------------------------------------------------------------------------------------------


def test_cityscapes(tmp_path):
    root = tmp_path / "cityscapes"
    fake_cityscapes.write(root, train=2, test=1)
    table = converted("cityscapes", root, tmp_path / "c.csv", geometry="depth")
    assert column(table, "split") == {
        "aachen_000000_000019": "train", "aachen_000001_000019": "train", "lindau_000000_000019": "test"
    }  # fmt: skip
    recipe = Recipe.load("cityscapes", ["--tasks.depth", "{kind: depth, unit: 0.00390625}"])
    sample, truth = TableDataset(table, recipe.tasks())[1], scene(1, 64, 128)
    assert np.array_equal(sample.targets["semantic"][:-6], np.where(truth.box, 13, 0)[:-6])
    assert (sample.targets["semantic"][-6:] == -1).all()
    disparity, depth = sample.targets["disparity"][0, :, 8:], sample.targets["depth"][0, :, 8:]
    np.testing.assert_allclose(disparity, 20 / truth.depth[:, 8:], atol=2.1e-3)
    np.testing.assert_allclose(depth, truth.depth[:, 8:], atol=5e-3)
    assert sample.targets["depth"][0, :, :8].isnan().all()
    torch.testing.assert_close(sample.intrinsics, torch.tensor([100.0, 101.0, 63.5, 31.5]))
    assert "depth" not in converted("cityscapes", root, tmp_path / "d.csv").columns
    assert "disparity" not in converted("cityscapes", root, tmp_path / "n.csv", geometry="none").columns


def test_the_official_decoding_of_disparities():
    stored = np.array([[0, 1, 2, 257, 513, 60000]], np.uint16)
    depth = depth_of(stored, 10.0) / 256
    np.testing.assert_allclose(depth, [[0, 0, 0, 10, 5, 10 / (59999 / 256)]], atol=2e-3)  # 2560 m is too far
    task = Recipe.load("cityscapes").tasks()["disparity"]
    parsed = task.parse(stored)[0]
    np.testing.assert_allclose(parsed[0, 2:], [1 / 256, 1, 2, 59999 / 256], rtol=1e-6)
    assert parsed[0, :2].isnan().all()
    assert np.array_equal(task.encode(parsed[None]), [[0, 0, 2, 257, 513, 60000]])


def test_an_incomplete_cityscapes(tmp_path):
    fake_cityscapes.write(tmp_path, train=2, test=1)
    next((tmp_path / "gtFine" / "train").rglob("*_labelIds.png")).unlink()
    with pytest.raises(DataError, match=r"labelIds\.png: not there, as 1 of 3 files with gtFine of Cityscapes"):
        converted("cityscapes", tmp_path, tmp_path / "c.csv")
    shutil.rmtree(tmp_path / "disparity")
    with pytest.raises(DataError, match=r"disparity: not there.*--geometry none.*cityscapes-dataset\.com"):
        converted("cityscapes", tmp_path, tmp_path / "c.csv")


# -- VOC and semi-supervised lists ----------------------------------------------------------------------------------


def test_voc(tmp_path):
    root = tmp_path / "VOC2012"
    fake_voc.write(root)
    lists = root / "ImageSets" / "Segmentation"
    table = converted("voc", root, tmp_path / "voc.csv", test=str(lists / "test.txt"), saliency=str(root / "saliency"))
    assert column(table, "split") == (
        dict.fromkeys(fake_voc.TRAIN, "train") | dict.fromkeys(fake_voc.VAL, "test")
        | dict.fromkeys(fake_voc.TEST, "submission")
    )  # fmt: skip
    assert list(column(table, "tags").values()) == ["aeroplane", "bicycle", "bird", "boat", "bottle", "bus", ""]
    assert column(table, "saliency")["2007_000032"] == "VOC2012/saliency/2007_000032.png"
    assert column(table, "saliency")["2007_000033"] == ""
    semantic = TableDataset(table, Recipe.load("voc").tasks())[1].targets["semantic"]
    assert set(semantic.unique().tolist()) == {-1, 0, 2}  # a palette picture gives its indices
    same = converted("voc", root, tmp_path / "aug.csv", masks="SegmentationClassAug", train=str(lists / "pairs.txt"))
    assert column(same, "tags") == {name: cell for name, cell in column(table, "tags").items() if cell}


def test_voc_tags_from_a_file(tmp_path):
    fake_voc.write(tmp_path)
    first, second = fake_voc.TRAIN[:2]
    flags = [0.0] * 20
    flags[11] = 1.0
    for path, content in {
        tmp_path / "tags.json": {first: flags, second: ["dog", "cat"], "2000_000001": [3]},
        tmp_path / "by_index.json": {first: [11], second: [7, 11]},
    }.items():
        path.write_text(json.dumps(content), encoding="utf-8-sig")
        tags = column(converted("voc", tmp_path, path.with_suffix(".csv"), tags=str(path)), "tags")
        assert (tags[first], tags[second], tags[fake_voc.VAL[0]]) == ("dog", "cat;dog", "")
    np.savez(tmp_path / "tags.npz", **{first: np.array(flags, np.float32)})
    assert (
        column(converted("voc", tmp_path, tmp_path / "z.csv", tags=str(tmp_path / "tags.npz")), "tags")[first] == "dog"
    )
    np.save(tmp_path / "cls_labels.npy", {first: np.array(flags)}, allow_pickle=True)
    with pytest.raises(DataError, match=r"never opened; if you trust it, convert it with python -c .*cls_labels\.json"):
        converted("voc", tmp_path, tmp_path / "n.csv", tags=str(tmp_path / "cls_labels.npy"))
    (tmp_path / "twice.json").write_text(f'{{"{first}": [11], "{first}": [7]}}')
    with pytest.raises(DataError, match=f"key '{first}' is there twice"):
        converted("voc", tmp_path, tmp_path / "w.csv", tags=str(tmp_path / "twice.json"))
    (tmp_path / "wrong.json").write_text(json.dumps({first: ["god"]}))
    with pytest.raises(DataError, match="tag 'god' is not one of the 20"):
        converted("voc", tmp_path, tmp_path / "w.csv", tags=str(tmp_path / "wrong.json"))


def test_an_incomplete_voc(tmp_path):
    fake_voc.write(tmp_path)
    shutil.copy(tmp_path / "ImageSets/Segmentation/val.txt", tmp_path / "leak.txt")
    with pytest.raises(DataError, match=r"2007_000033 is in the train list too \(2 are\)"):
        converted("voc", tmp_path, tmp_path / "v.csv", train=str(tmp_path / "leak.txt"))
    (tmp_path / "SegmentationClass" / "2007_000042.png").unlink()
    with pytest.raises(DataError, match=r"2007_000042\.png: not there, as 1 of 6 files with masks"):
        converted("voc", tmp_path, tmp_path / "v.csv")


def test_lists_of_names(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(
        "2007_000032\n/JPEGImages/2007_000039.jpg\n\nJPEGImages/a.jpg SegmentationClass/a.png\n"
        "leftImg8bit/train/jena/jena_1_leftImg8bit.png gtFine/train/jena/jena_1_gtFine_labelTrainIds.png\nodd.name"
    )
    assert read_names(path) == ["2007_000032", "2007_000039", "a", "jena_1_leftImg8bit", "odd.name"]
    path.write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        read_names(path)


def test_semi_supervised_lists(tmp_path):
    root = tmp_path / "VOC2012"
    fake_voc.write(root)
    converted("voc", root, tmp_path / "voc.csv")
    one, two, three, _ = fake_voc.TRAIN
    (tmp_path / "labelled.txt").write_text(f"{one}\n")
    (tmp_path / "unlabelled.txt").write_text(f"JPEGImages/{two}.jpg SegmentationClass/{two}.png\n{three}\n")
    lists = {"labelled": str(tmp_path / "labelled.txt")}
    table = converted("lists", tmp_path / "voc.csv", tmp_path / "there" / "semi.csv", **lists)
    assert len(table) == 6
    assert [bool(cell) for cell in column(table, "semantic").values()] == [True, False, False, False, True, True]
    assert [bool(cell) for cell in column(table, "tags").values()] == [True, False, False, False, True, True]
    assert column(table, "image")[one] == f"../VOC2012/JPEGImages/{one}.jpg"
    lists["unlabelled"] = str(tmp_path / "unlabelled.txt")
    table = converted("lists", tmp_path / "voc.csv", tmp_path / "semi.csv", **lists, tasks=["semantic"])
    assert [bool(cell) for cell in column(table, "semantic").values()] == [True, False, False, True, True]
    assert all(column(table, "tags").values())
    (tmp_path / "labelled.txt").write_text(f"{one}\n2010_000001\n{fake_voc.VAL[0]}\n")
    with pytest.raises(DataError, match=r"2 of 3 images are not in the split 'train'.*the first is '2010_000001'"):
        converted("lists", tmp_path / "voc.csv", tmp_path / "x.csv", **lists)


def test_semi_supervised_lists_of_cityscapes(tmp_path):
    fake_cityscapes.write(tmp_path / "c", train=2, test=1)
    converted("cityscapes", tmp_path / "c", tmp_path / "c.csv")
    (tmp_path / "l.txt").write_text(
        "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png gtFine/train/aachen/aachen_000001_000019.png\n"
    )
    table = converted("lists", tmp_path / "c.csv", tmp_path / "l.csv", labelled=str(tmp_path / "l.txt"))
    assert [bool(cell) for cell in column(table, "semantic").values()] == [False, True, True]


# -- COCO ----------------------------------------------------------------------------------------------------------

NAMES = ("person", "bicycle", "car", "motorcycle", "airplane", "bus", "wall-other-merged")


@pytest.mark.parametrize("labels", ["panoptic", "instances"])
def test_coco(labels, tmp_path):
    fake_coco.write(tmp_path, NAMES, things=6, train=2, test=1)
    table = converted("coco", tmp_path, tmp_path / "coco.csv", labels=labels)
    assert column(table, "tags") == {
        "000000000001": "person", "000000000002": "bicycle", "000000000003": "car"
    }  # fmt: skip
    stored, box = load_label(table.resolve(1, "semantic")), scene(1, 64, 96).box
    names = json.loads((tmp_path / "coco_files" / "classes.json").read_text())
    if labels == "panoptic":
        assert np.array_equal(stored, np.where(np.arange(64)[:, None] < 4, 255, np.where(box, 1, 6)))
        assert names["semantic"] == list(NAMES)
    else:
        box[:5, 0] = True  # the crowd
        assert np.array_equal(stored, np.where(box, 2, 0))
        assert names == {"semantic": ["background", *NAMES[:6]], "tags": list(NAMES[:6])}


def test_an_incomplete_coco(tmp_path):
    fake_coco.write(tmp_path, NAMES, things=6, train=2, test=1)
    next((tmp_path / "annotations" / "panoptic_val2017").glob("*.png")).unlink()
    with pytest.raises(DataError, match=r"not there, as 1 of 1 files with panoptic maps of COCO"):
        converted("coco", tmp_path, tmp_path / "coco.csv")
    (tmp_path / "annotations" / "panoptic_train2017.json").write_text('{"images": [')
    with pytest.raises(DataError, match="not an annotation file of COCO, or not a whole one"):
        converted("coco", tmp_path, tmp_path / "coco.csv")
    with pytest.raises(DataError, match=r"instances_train2014\.json: not there; .* cocodataset\.org"):
        converted("coco", tmp_path, tmp_path / "coco.csv", labels="instances", year=2014)


# -- attributes and the command ------------------------------------------------------------------------------------

AFFECT = [
    "--images", "{root}/faces", "--split", "split", "--category", "expression", "--tags", "AU1,AU2,AU25",
    "--scalars", "valence,arousal", "--missing", "-5",
]  # fmt: skip


def test_attributes_by_the_command(tmp_path, capsys):
    fake_attributes.write(tmp_path)
    typed = [word.format(root=tmp_path) for word in AFFECT]
    arguments = [
        "convert",
        "attributes",
        str(tmp_path / "annotations.csv"),
        "--out",
        str(tmp_path / "t.csv"),
        "--quiet",
    ]
    assert main([*arguments, *typed]) == 0
    assert "test: 2 images; labels: category 2, tags 2, scalars 2" in capsys.readouterr().out
    table = read_table(tmp_path / "t.csv")
    rows = [(row["category"], row["tags"], row["scalars"]) for row in table.rows]
    assert rows == [
        ("3", "AU1;AU25", "-0.2;0.6"),
        ("", "?AU1;AU2", ""),
        ("0", "", "0.5;"),
        ("", "-", ";0.1"),
        ("6", "AU1;AU2;?AU25", "0.3;0.2"),
        ("1", "AU25", "-0.4;0.9"),
    ]
    sample = TableDataset(table, Recipe.load("attributes").tasks())[1]
    torch.testing.assert_close(
        sample.targets["tags"].as_subclass(torch.Tensor), torch.tensor([torch.nan, 1, 0]), equal_nan=True
    )
    assert main([*arguments, *typed]) == 2
    assert "exists already: give --overwrite" in capsys.readouterr().err
    assert main([*arguments, *typed, "--overwrite", "--tgas", "AU1"]) == 2
    assert "did you mean 'tags'?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["convert", "attributes", "--options"])
    assert "--absent -1" in capsys.readouterr().out


def test_attributes_that_are_not_what_was_said(tmp_path):
    fake_attributes.write(tmp_path)
    path, faces = tmp_path / "annotations.csv", str(tmp_path / "faces")
    with pytest.raises(DataError, match=r"row 2, column expression: an attribute is 3: expected 1 \(present\); 0 "):
        converted("attributes", path, tmp_path / "t.csv", images=faces, tags=["expression"])
    with pytest.raises(DataError, match="no labels asked for"):
        converted("attributes", path, tmp_path / "t.csv", images=faces)
    with pytest.raises(DataError, match=r"no column 'AU3': did you mean"):
        converted("attributes", path, tmp_path / "t.csv", images=faces, tags=["AU3"])
    with pytest.raises(DataError, match=r"a/0\.jpg: not there, as 6 of 6 files with images"):
        converted("attributes", path, tmp_path / "t.csv", tags=["AU1"])
    celeb = converted(
        "attributes", path, tmp_path / "t.csv", images=faces, tags=["AU1"], absent=["-1"], unknown=["0"]
    )  # fmt: skip
    assert [row["tags"] for row in celeb.rows] == ["AU1", "-", "-", "", "AU1", ""]
