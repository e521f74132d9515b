"""Sets of YOLO: boxes, polygons, boxes with keypoints, and what is none of these."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crosstask.data.decode.files import load_label
from crosstask.data.exchange.images import Images
from tests.data.exchange.sets import convert, image, refused


def yolo(root: Path, *lines: str, names: str = "names: [cat, dog]\n") -> Path:
    """A set of one image with these lines."""
    image(root / "images" / "a.png")
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "labels" / "a.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(names)
    return root


def test_yolo(tmp_path, capsys):
    root = tmp_path / "set"
    image(root / "images" / "train" / "a.png")
    image(root / "images" / "val" / "b.png")
    (root / "labels" / "train").mkdir(parents=True)
    text = root / "labels" / "train" / "a.txt"
    text.write_text("1 .2 .125 .6 .125 .6 .625 .2 .625\n0 0.9 0.9 0.1 0.1\n")
    (root / "data.yaml").write_text("names: {0: cat, 1: dog}\n")
    table = convert(root, "yolo")
    assert (load_label(table.resolve(0, "semantic"))[1:5, 2:6] == 1).all()
    assert [row["semantic"] != "" for row in table.rows] == [True, False]
    text.write_text("5 .1 .1 .1 .1\n")
    assert "a.txt, line 1: class 5 of 2" in refused(root, "yolo", capsys)
    (root / "data.yaml").unlink()
    assert "names no classes: add data.yaml" in refused(root, "yolo", capsys)


POSED = "names: [cat, dog]\nkpt_shape: [2, 3]\n"
POSE = "1 .5 .5 .4 .4  .3 .3 2 .6 .6 0"


def test_boxes_with_keypoints_are_no_polygons(tmp_path, capsys):
    root = yolo(tmp_path / "set", POSE, "0 .2 .2 .1 .1", names=POSED)
    table = convert(root, "yolo", "--things", "true")
    assert (table.columns, table.rows[0]["tags"]) == (("id", "image", "tags"), "cat;dog")
    assert "1 keypoints, which no task can use" in capsys.readouterr().out
    assert "no label that a task can use (2 boxes without a shape" in refused(root, "yolo", capsys)


@pytest.mark.parametrize(
    ("line", "names", "message"),
    [
        (POSE.removesuffix(" 0"), POSED, "9 numbers after the class: 4 are a box, 10 one with its keypoints"),
        (POSE, POSED.replace("[2, 3]", "6"), "kpt_shape is 6: write [keypoints, numbers of each]"),
        ("0 1 1 5 1 5 6", "names: [cat]", "a.txt, line 1: 6 is no share of the image (0 to 1): divide pixels by"),
        ("0 5 4 10 8", "names: [cat]", "a.txt, line 1: 10 is no share of the image"),
    ],
)
def test_what_is_neither_is_refused(line, names, message, tmp_path, capsys):
    assert message in refused(yolo(tmp_path / "set", line, names=names), "yolo", capsys)


def test_class_maps_of_a_conversion_are_no_images(tmp_path):
    root = yolo(tmp_path / "set", "1 .2 .125 .6 .125 .6 .625 .2 .625")
    shutil.copytree(root / "labels", root / "old_files")  # a folder of a person's own
    image(root / "old_files" / "b.png")
    for name in ("first", "second"):
        rows = convert(root, "yolo", out=root / f"{name}.csv").rows
        assert [row["id"] for row in rows] == ["images/a", "old_files/b"]
    image(root / "first_files" / "images" / "c.png")  # as conversions write that find images within other files
    assert Images(root).find("c.png", "here") == root / "first_files" / "images" / "c.png"


def test_images_may_lie_elsewhere(tmp_path):
    root = yolo(tmp_path / "set", "1 .2 .125 .6 .125 .6 .625 .2 .625")
    (root / "images").rename(tmp_path / "photos")
    table = convert(root, "yolo", "--images", str(tmp_path / "photos"))
    assert (load_label(table.resolve(0, "semantic"))[1:5, 2:6] == 1).all()
