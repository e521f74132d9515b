"""What is written is read back as it was: by ``convert`` and, where it writes the format, by Datumaro itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from crosstask.cli import main
from crosstask.commands.hand_over import hand_over
from crosstask.data.decode.files import load_label
from crosstask.data.exchange.write import plan, write_labels
from crosstask.data.exchange.writers import WRITERS
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import UserError
from crosstask.evaluation.predict import TABLE as PREDICTIONS
from crosstask.tasks import Segmentation
from tests.data.exchange.labelled import CLASSES, TAGS, TASKS, write_labelled

DENSE = [name for name, form in WRITERS.items() if form.shapes]


def there_and_back(folder: Path, name: str, unknown: bool = False) -> tuple[Table, Table, dict]:
    """The table, the table read back in the same order, and its tasks."""
    if WRITERS[name].through or name == "masks":
        pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    table = write_labelled(folder, unknown)
    write_labels(table, plan(name, TASKS), folder / "out")
    out = folder / "back.csv"
    assert main(["convert", "datumaro", str(folder / "out"), "--format", name, "--out", str(out), "--quiet"]) == 0
    back = read_table(out)
    ends = {Path(row["image"]).stem.removesuffix("_leftImg8bit")[-1]: row for row in back.rows}
    blank = dict.fromkeys(back.columns, "") | {"image": "not listed.png"}
    rows = [ends.get(Path(row["image"]).stem[-1], blank) for row in table.rows]
    classes = json.loads((folder / "back_files" / "classes.json").read_text())
    return table, Table(out, back.columns, rows), classes


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("name", DENSE)
def test_class_maps_come_back(name, unknown, tmp_path):
    table, back, classes = there_and_back(tmp_path, name, unknown)
    assert [each for each in classes["semantic"] if each != "background"] == CLASSES
    number = np.full(256, -1)
    number[[classes["semantic"].index(each) for each in CLASSES]] = range(3)
    for index in range(3):
        before = load_label(table.resolve(index, "semantic")).astype(int)
        found = number[load_label(back.resolve(index, "semantic"))]
        before[before == 255] = -1
        if name == "yolo":
            both = [(before == each, found == each) for each in range(3)]
            assert min((one & other).sum() / (one | other).sum() for one, other in both) > 0.95
        else:
            assert (before == found).all()
    assert back.rows[3]["semantic"] == ""


@pytest.mark.parametrize("name", ["coco", "cvat", "datumaro", "label_studio", "labelme"])
def test_names_of_whole_images_come_back(name, tmp_path):
    _, back, classes = there_and_back(tmp_path, name)
    assert set(classes["tags"]) == {"wet", "night", "indoor"}
    given = [set(row["tags"].split(";")) for row in back.rows]
    assert given[0] == {"wet", "indoor"}
    assert given[2] == {"night"}
    assert given[1] == ({"-"} if name in ("label_studio", "labelme") else {""})  # others have no word for "none"
    assert back.rows[3]["tags"] == TAGS[3]


def test_categories_come_back(tmp_path):
    _, back, classes = there_and_back(tmp_path, "label_studio")
    assert [row["place"] for row in back.rows] == ["street", "park", "street", ""]
    assert classes["place"] == ["street", "park"]


@pytest.mark.parametrize("name", ["coco", "cvat", "voc", "cityscapes", "masks", "datumaro"])
def test_splits_come_back(name, tmp_path):
    _, back, _ = there_and_back(tmp_path, name)
    expected = ["", "", "", ""] if name == "masks" else ["train", "train", "val", "train"]
    assert [row.get("split", "") for row in back.rows] == expected


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
@pytest.mark.parametrize("name", ["coco", "cvat", "voc_segmentation"])
def test_the_library_reads_what_it_wrote(name, tmp_path):
    dm = pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    table = write_labelled(tmp_path)
    write_labels(table, plan(name.removesuffix("_segmentation"), TASKS), tmp_path / "out")
    dataset = dm.Dataset.import_from(str(tmp_path / "out"), name)
    names = [entry.name for entry in dataset.categories()[dm.AnnotationType.label].items]
    items = {Path(item.id).name[-1]: item for item in dataset}
    for index in range(3):
        before = load_label(table.resolve(index, "semantic"))
        masks = [each for each in items[str(index)].annotations if each.type == dm.AnnotationType.mask]
        assert {names[each.label] for each in masks} == {CLASSES[each] for each in np.unique(before)}
        for each in masks:
            assert (np.asarray(each.image) == (before == CLASSES.index(names[each.label]))).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_masks_of_coco_are_no_crowds_to_the_owners_tool(tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="needs crosstask[formats]")
    pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    table = write_labelled(tmp_path, unknown=True)
    write_labels(table, plan("coco", TASKS), tmp_path / "out")
    read = coco.COCO(tmp_path / "out" / "annotations" / "instances_val.json")
    before = load_label(table.resolve(2, "semantic"))
    for entry in read.loadAnns(read.getAnnIds()):
        name = read.cats[entry["category_id"]]["name"]
        number = 255 if name == "void" else CLASSES.index(name)
        assert entry["iscrowd"] == (name == "void")
        assert (read.annToMask(entry) == (before == number)).all()


def test_folders_of_categories(tmp_path):
    table = write_labelled(tmp_path)
    write_labels(table, plan("folders", TASKS), tmp_path / "out")
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert found == ["train/park/street/1.png", "train/street/a 0.png", "val/street/street/2.png"]


def test_what_a_format_cannot_hold_is_said():
    assert str(plan("yolo", TASKS)) == "yolo leaves out tags (it holds no tags); place (it holds no category)"
    assert str(plan("labelme", TASKS)) == "labelme leaves out place (it holds one list of labels, that of tags)"
    with pytest.raises(UserError, match=r"can hold none of the tasks: semantic \(it holds no shapes\)"):
        plan("folders", {"semantic": TASKS["semantic"]})
    with pytest.raises(UserError, match="did you mean 'cvat'"):
        plan("cvta", TASKS)


def test_nothing_half_is_written(tmp_path):
    table = write_labelled(tmp_path)
    table.resolve(2, "semantic").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"2\.png"):
        write_labels(table, plan("labelme", TASKS), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_labels(write_labelled(tmp_path), plan("labelme", TASKS), tmp_path / "out")
    with pytest.raises(UserError, match="is there already"):
        write_labels(table, plan("labelme", TASKS), tmp_path / "out")


def test_the_recipe_fragment_is_one(tmp_path, capsys):
    there_and_back(tmp_path, "labelme")
    text = capsys.readouterr().out.partition("for the recipe:\n")[2]
    assert yaml.safe_load(text)["tasks"]["semantic"] == {"kind": "segmentation", "classes": CLASSES}


@pytest.mark.parametrize("predicted", [False, True])
def test_maps_lie_as_the_images_are_seen(tmp_path, predicted):
    """Given labels may lie as the pixels of an image are stored, predictions never do."""
    table = write_labelled(tmp_path)
    turn = Image.Exif()
    turn[0x0112] = 3  # upside down
    Image.open(table.resolve(1, "image")).save(table.resolve(1, "image"), exif=turn)
    planned = plan("labelme", {"semantic": Segmentation("semantic", classes=CLASSES, orientation="stored")})
    if predicted:
        write_table(replace(table, path=tmp_path / PREDICTIONS))
        hand_over(planned, tmp_path, tmp_path / "out", quiet=True, overwrite=False)
    else:
        write_labels(table, planned, tmp_path / "out")
    back = tmp_path / "back.csv"
    assert (
        main(["convert", "datumaro", str(tmp_path / "out"), "--format", "labelme", "--out", str(back), "--quiet"]) == 0
    )
    found = {Path(row["image"]).stem: index for index, row in enumerate(read_table(back).rows)}
    stored = load_label(table.resolve(1, "semantic"))
    names = json.loads((tmp_path / "back_files" / "classes.json").read_text())["semantic"]
    number = np.array([CLASSES.index(name) if name in CLASSES else -1 for name in names])
    lies = number[load_label(read_table(back).resolve(found["1"], "semantic"))]
    assert (lies == (stored if predicted else stored[::-1, ::-1])).all()
