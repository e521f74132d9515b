"""What people's files look like, and what is refused of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from crosstask.cli import main
from crosstask.data.decode.files import load_label
from crosstask.data.exchange.brush import decode_brush, encode_brush
from crosstask.data.exchange.images import Images, split_in
from crosstask.data.exchange.masks import polygon_mask, polygons_of
from crosstask.errors import DataError
from tests.data.exchange.sets import SQUARE, coco, convert, image, refused


def test_coco_in_one_folder_with_crowds_boxes_and_keypoints(tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "a.png")
    entries = [
        {"category_id": 0, "segmentation": [SQUARE], "iscrowd": 0},
        {"category_id": 7, "segmentation": {"size": [8, 10], "counts": [0, 32, 48]}, "iscrowd": 1},
        {"category_id": 7, "bbox": [7, 0, 2, 3], "keypoints": [1, 1, 2]},
    ]
    coco(root / "_annotations.coco.json", entries)
    table = convert(root, "coco")
    expected = np.full((8, 10), 2)
    expected[:, :4] = 255
    expected[0:3, 7:9] = 255
    expected[1:5, 2:6] = 0
    assert (load_label(table.resolve(0, "semantic")) == expected).all()
    said = capsys.readouterr().out
    assert "1 boxes without a shape" in said
    assert "1 keypoints, which no task can use" in said
    assert "1 crowds and void regions" in said
    assert "classes: [cat, dog, background]" in said


def test_coco_of_several_splits_has_one_list_of_names(tmp_path):
    root = tmp_path / "set"
    image(root / "train" / "a.png")
    image(root / "valid" / "a.png")
    swapped = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    coco(root / "train" / "_annotations.coco.json", [{"category_id": 0, "segmentation": [SQUARE]}])
    coco(root / "valid" / "_annotations.coco.json", [{"category_id": 2, "segmentation": [SQUARE]}], categories=swapped)
    table = convert(root, "coco")
    assert [(row["id"], row["split"]) for row in table.rows] == [("train/a", "train"), ("val/a", "val")]
    assert all((load_label(table.resolve(row, "semantic"))[1:5, 2:6] == 0).all() for row in range(2))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"category_id": 3, "segmentation": [SQUARE]}, "has the category_id 3, which the file does not list"),
        ({"category_id": 0, "segmentation": [[1, 2, 3, 4, 5]]}, "odd number of coordinates"),
        ({"category_id": 0, "segmentation": {"size": [8, 10], "counts": [3]}}, "cover 3 pixels, the image has 80"),
        ({"category_id": 0, "image_id": 9, "segmentation": [SQUARE]}, "the file lists no such image"),
        ({"category_id": 0, "segmentation": [[0.2, 0.1, 1, 0.1, 1, 0.6]]}, "they are shares of the image (0 to 1)"),
        ({"category_id": 0, "bbox": [1, 1, 2, 2]}, "no label that a task can use (1 boxes"),
    ],
)
def test_broken_coco_is_refused(entry, message, tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "a.png")
    coco(root / "instances_train.json", [entry])
    assert message in refused(root, "coco", capsys)


def test_images_that_are_not_there_or_of_another_size(tmp_path, capsys):
    root = tmp_path / "set"
    entries = [{"category_id": 0, "segmentation": [SQUARE]}]
    coco(root / "instances.json", entries)
    assert "give --images FOLDER" in refused(root, "coco", capsys)
    image(tmp_path / "elsewhere" / "deep" / "a.png", (16, 20))
    assert "says 10x8 of a.png, which is 20x16" in refused(
        root, "coco", capsys, "--images", str(tmp_path / "elsewhere")
    )
    image(tmp_path / "elsewhere" / "deep" / "a.png")
    convert(root, "coco", "--images", str(tmp_path / "elsewhere"))


def test_boxes_make_tags_on_demand(tmp_path):
    root = tmp_path / "set"
    image(root / "a.png")
    coco(root / "instances.json", [{"category_id": 7, "bbox": [1, 1, 2, 2]}])
    assert convert(root, "coco", "--things", "true").rows[0]["tags"] == "dog"


def label_studio(root: Path, *results: dict, **task: object) -> Path:
    common = {"original_width": 10, "original_height": 8, "to_name": "image", "from_name": "label", "id": "r"}
    annotation = {"result": [common | result for result in results], "updated_at": "2026-01-02"}
    older = {"result": [common | {"type": "choices", "from_name": "place", "value": {"choices": ["old"]}}]}
    entry = {"id": 1, "data": {"image": "/data/upload/3/0123abcd-a.png"}, "annotations": [annotation, older]} | task
    root.mkdir(exist_ok=True)
    (root / "export.json").write_text(json.dumps([entry, {"id": 2, "data": {"image": "b.png"}, "annotations": []}]))
    image(root / "images" / "a.png")
    image(root / "images" / "b.png")
    return root


def test_label_studio(tmp_path, capsys):
    mask = np.zeros((8, 10), bool)
    mask[4:, :5] = True
    corners = [[20, 12.5], [60, 12.5], [60, 62.5], [20, 62.5]]
    results = (
        {"type": "brushlabels", "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": ["mud"]}},
        {"type": "polygonlabels", "value": {"points": corners, "polygonlabels": ["cat"]}},
        {"type": "choices", "from_name": "place", "value": {"choices": ["park"]}},
        {"type": "choices", "from_name": "flaws", "value": {"choices": ["blur", "noise"]}},
        {"type": "number", "from_name": "age", "value": {"number": 3.5}},
        {"type": "textarea", "from_name": "notes", "value": {"text": ["hm"]}},
    )
    table = convert(label_studio(tmp_path / "set", *results), "label_studio")
    expected = np.where(mask, 0, 2)
    expected[1:5, 2:6] = 1
    assert (load_label(table.resolve(0, "semantic")) == expected).all()  # the smaller one lies above
    first, second = table.rows
    assert (first["place"], first["flaws"], first["age"]) == ("park", "blur;noise", "3.5")
    assert not any(second[name] for name in ("semantic", "place", "flaws", "age"))
    said = capsys.readouterr().out
    assert "1 results of the type textarea, which no task can use" in said
    assert "1 annotations beside the one that was taken" in said


def test_brushes_are_packed_and_unpacked():
    rng = np.random.default_rng(0)
    for mask in (rng.random((37, 53)) < 0.4, np.ones((200, 300), bool), np.zeros((1, 1), bool)):
        packed = encode_brush(mask)
        assert (decode_brush(packed, mask.shape, "here") == mask).all()
    with pytest.raises(DataError, match="here: its brush is of 4 bytes, the image needs 16"):
        decode_brush(packed, (2, 2), "here")
    with pytest.raises(DataError, match="cut off"):
        decode_brush(encode_brush(rng.random((9, 9)) < 0.5)[:20], (9, 9), "here")


def test_a_brush_as_label_studio_writes_it():
    """A mask of 1x2 pixels, the second one set, in words of 8 bits and literal blocks."""
    bits = f"{8:032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits += "0" + "00" + f"{7:03b}" + f"{0:032b}" + f"{2**32 - 1:032b}"  # eight literal bytes
    bits += "0" * (-len(bits) % 8)
    packed = [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
    assert decode_brush(packed, (1, 2), "").tolist() == [[False, True]]


def test_labelme(tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "a.png")
    shapes = [
        {"label": "cat", "points": [[2, 1], [6, 1], [6, 5], [2, 5]], "shape_type": "polygon"},
        {"label": "dog", "points": [[8, 0], [10, 2]], "shape_type": "rectangle"},
        {"label": "dog", "points": [[1, 1]], "shape_type": "point"},
    ]
    content = {"shapes": shapes, "imagePath": "..\\photos\\a.png", "imageHeight": 8, "imageWidth": 10}
    (root / "a.json").write_text(json.dumps(content | {"flags": {"wet": True, "dark": False}}))
    table = convert(root, "labelme")
    expected = np.full((8, 10), 2)
    expected[1:5, 2:6] = 0
    expected[:2, 8:] = 1
    assert (load_label(table.resolve(0, "semantic")) == expected).all()
    assert table.rows[0]["tags"] == "wet"
    assert "1 shapes of the type point" in capsys.readouterr().out


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><{kind}><id>7</id><mode>annotation</mode><subset>{subset}</subset><labels>
  <label><name>dog</name><type>any</type><attributes/></label>
  <label><name>cat</name></label><label><name>wet</name><type>tag</type></label>
</labels></{kind}></meta>
<image id="0" name="deep/a.png" width="10" height="8">
  <polygon label="cat" points="2.00,1.00;6.00,1.00;6.00,5.00;2.00,5.00" z_order="1">
    <attribute name="x">1</attribute></polygon>
  <mask label="dog" rle="1, 1, 2" left="8" top="6" width="2" height="2" z_order="0"/>
  <ellipse label="dog" cx="2" cy="7" rx="2" ry="1" rotation="90"/>
  <box label="dog" xtl="8" ytl="0" xbr="10" ybr="2"/>
  <polyline label="dog" points="0,0;1,1"/>
  <tag label="wet" source="manual"/>
</image>
<image id="1" name="b.png" width="10" height="8"/>
</annotations>"""


@pytest.mark.parametrize("kind", ["task", "job", "project"])
def test_cvat_of_tasks_jobs_and_projects(kind, tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "images" / "deep" / "a.png")
    image(root / "images" / "b.png")
    (root / "annotations.xml").write_text(CVAT.format(kind=kind, subset="Train"))
    table = convert(root, "cvat")
    expected = np.full((8, 10), 2)
    expected[1:5, 2:6] = 1
    expected[6, 9] = 0
    expected[5:8, 1:3] = 0  # the ellipse is turned: two wide, four high
    expected[:2, 8:] = 255
    assert (load_label(table.resolve(0, "semantic")) == expected).all()
    assert [(row["id"], row["split"], row["labels" if "labels" in row else "category"]) for row in table.rows] == [
        ("deep/a", "Train", "wet"), ("b", "Train", ""),
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "1 polyline annotations, which no task can use" in said
    assert "classes: [dog, cat, background]" in said
    shown = convert(root, "cvat", "--empty", "background", "--overwrite")
    assert (load_label(shown.resolve(1, "semantic")) == 2).all()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('rle="1, 1, 2"', 'rle="1, 1, 9"', "mask 2: its runs cover 11 pixels, its box is 2x2"),
        ("2.00,1.00;6.00,1.00;6.00,5.00;2.00,5.00", "2.00,1.00;6.00,1.00", "polygon 1: its points are no three pairs"),
        ('cx="2"', 'cx="two"', "ellipse 3: cx is 'two', no number"),
        ('width="10" height="8">', 'width="20" height="8">', "says 20x8 of a.png, which is 10x8"),
        ("</annotations>", "", "is no valid XML"),
        ("<image ", "<track ", "holds no XML file of CVAT with images"),
    ],
)
def test_broken_files_of_cvat_are_refused(before, after, message, tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "images" / "deep" / "a.png")
    image(root / "images" / "b.png")
    text = CVAT.format(kind="job", subset="default").replace(before, after)
    if after == "<track ":
        text, message = text.replace("</image>", "</track>"), "holds tracks of a video: export the task as"
    (root / "annotations.xml").write_text(text)
    assert message in refused(root, "cvat", capsys)


def test_an_archive_is_to_be_unpacked(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "job.zip", "w") as archive:
        archive.writestr("annotations.xml", CVAT)
    assert "is an archive: unpack it" in refused(tmp_path / "job.zip", "cvat", capsys)


def test_unknown_formats_and_folders(tmp_path, capsys):
    pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    root = tmp_path / "set"
    root.mkdir()
    assert "did you mean 'cvat'" in refused(root, "cvatt", capsys)
    assert "holds no XML file of CVAT" in refused(root, "cvat", capsys)
    assert "no such file or folder" in refused(tmp_path / "nothing", "coco", capsys)
    assert "format: missing" in _missing(root, capsys)


def _missing(root: Path, capsys) -> str:
    assert main(["convert", "datumaro", str(root), "--out", str(root / "x.csv"), "--quiet"]) == 2
    return capsys.readouterr().err


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "datumaro", None)
    (tmp_path / "set").mkdir()
    assert "pip install 'crosstask[formats]'" in refused(tmp_path / "set", "voc", capsys)


def test_polygons_are_exact_around_centres():
    mask = np.random.default_rng(1).random((20, 30)) < 0.6
    mask[5:9, 5:9] = True
    filled = np.zeros_like(mask)
    for points in polygons_of(mask):
        filled |= polygon_mask([points])(mask.shape)
    assert (filled[mask]).all()
    assert (polygon_mask([SQUARE])((8, 10)).sum(), polygon_mask([[0, 0, 10, 0, 10, 8, 0, 8]])((8, 10)).sum()) == (
        16,
        80,
    )


def test_images_are_found_by_the_end_of_their_path(tmp_path):
    first, second = image(tmp_path / "x" / "a.png"), image(tmp_path / "y" / "a.png")
    images = Images(tmp_path)
    assert images.find("/mnt/other/y/a.png", "here") == second
    assert images.find("s3://bucket/x/a.png", "here") == first
    assert images.find("/data/local-files/?d=set/y/a.png", "here") == second
    with pytest.raises(DataError, match="may be"):
        images.find("a.png", "here")
    assert split_in("contrast", "my-Validation_set") == "val"
