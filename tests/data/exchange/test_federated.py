"""Sets in which only some classes were looked for in each image: LVIS, Open Images."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from crosstask.cli import main
from crosstask.data.decode.files import load_label
from crosstask.tasks import Tagging
from tests.data.exchange.sets import SQUARE, coco, convert, image

NAMES = ["cup", "dog", "sofa"]
ENTRIES = [{"category_id": 1, "segmentation": [SQUARE], "bbox": [2, 1, 4, 4]}]


def lvis(root: Path, key: str = "file_name") -> Path:
    """Three images: a cup and no sofa, no dog, and one that nobody looked at."""
    address = "" if key == "file_name" else "http://images.cocodataset.org/"
    size = {"height": 8, "width": 10}
    images = [{"id": index, "coco_url": 0, key: f"{address}val2017/{index}.png"} | size for index in range(3)]
    absent = ([3], [2], [])
    images = [each | {"neg_category_ids": found} for each, found in zip(images, absent, strict=True)]
    for index in range(3):
        image(root / "val2017" / f"{index}.png")
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(NAMES)]
    coco(root / "lvis_v1_val.json", ENTRIES, images=images, categories=categories)
    return root


def told(cell: str) -> list[float | None]:
    """Presence of each tag, None unknown."""
    values = Tagging("tags", classes=NAMES).parse(cell).tolist()
    return [None if math.isnan(value) else value for value in values]


@pytest.mark.parametrize("key", ["file_name", "coco_url"])
def test_what_nobody_looked_for_is_unknown(key, tmp_path, capsys):
    table = convert(lvis(tmp_path / "set", key), "coco", "--things", "true")
    assert [row["id"] for row in table.rows] == [f"val2017/{index}" for index in range(3)]
    assert [told(row["tags"]) for row in table.rows] == [[1, None, 0], [None, 0, None], [None] * 3]
    expected = np.full((8, 10), 255)
    expected[1:5, 2:6] = 0
    assert (load_label(table.resolve(0, "semantic")) == expected).all()
    assert [bool(row["semantic"]) for row in table.rows] == [True, False, False]
    said = capsys.readouterr().out
    assert "only some classes were looked for in each image" in said
    assert "background" not in said


def test_the_adapter_of_coco_sends_them_on(tmp_path, capsys):
    root = lvis(tmp_path)
    (root / "annotations").mkdir()
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir(exist_ok=True)
        content = json.loads((root / "lvis_v1_val.json").read_text())
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    command = ["convert", "coco", str(root), "--labels", "instances", "--out", str(tmp_path / "c.csv"), "--quiet"]
    assert main(command) == 2
    assert "as in LVIS): crosstask convert datumaro --format coco reads that" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_labels_that_were_found_absent(tmp_path):
    dm = pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    labels = [dm.Label(0), dm.Label(2, attributes={"score": 0.0})]
    item = dm.DatasetItem("a", subset="train", media=dm.Image.from_numpy(np.zeros((8, 10, 3))), annotations=labels)
    other = dm.DatasetItem("b", subset="train", media=item.media, annotations=[dm.Label(1, attributes={"score": 0.0})])
    made = dm.Dataset.from_iterable([item, other], categories=NAMES, media_type=dm.Image)
    made.export(str(tmp_path / "set"), "open_images", save_media=True)
    table = convert(tmp_path / "set", "open_images")
    assert [told(row["tags"]) for row in table.rows] == [[1, None, 0], [None, 0, None]]
