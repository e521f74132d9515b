"""``predict --as``, for every format: what the command writes is what the network predicted, read back by the library
itself where it reads the format, and by ``convert``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from crosstask.cli import main
from crosstask.data.decode.files import load_label
from crosstask.data.exchange.writers import WRITERS
from crosstask.data.table.table import read_table
from tests.tiny import write_recipe, write_tiny

CLASSES = ["floor", "wall", "box"]
BY_LIBRARY = {"coco": "coco", "cvat": "cvat", "voc": "voc_segmentation", "datumaro": "datumaro"}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("as")
    recipe = write_recipe(folder, write_tiny(folder), "lr: 0.01")
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet", "--data.labels", "full"]) == 0
    (folder / "photos").mkdir()
    for path in sorted((folder / "image").iterdir())[:3]:
        shutil.copyfile(path, folder / "photos" / path.name)
    return folder


@pytest.fixture(scope="module", params=list(WRITERS))
def written(request, place) -> tuple[str, Path]:
    """A format and the folder of the predictions; the format lies in a folder of its name within it."""
    if WRITERS[request.param].through or request.param == "masks":
        pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    out = place / f"as_{request.param}"
    typed = ["predict", str(place / "run"), str(place / "photos"), "--out", str(out), "--as", request.param]
    assert main([*typed, "--no-pictures", "--quiet"]) == 0
    return request.param, out


def predicted(out: Path) -> dict[str, dict]:
    """The predictions by the stem of the image: class ids and the words for the image."""
    table = read_table(out / "table.csv")
    return {
        Path(row["image"]).stem: {"semantic": load_label(table.resolve(index, "semantic")), **row_words(row)}
        for index, row in enumerate(table.rows)
    }


def row_words(row: dict[str, str]) -> dict[str, str]:
    return {"place": row["place"], "tags": row["tags"]}


def test_the_folder_holds_every_image(written):
    name, out = written
    found = {path.stem for path in (out / name).rglob("*.png")} | {path.stem for path in (out / name).rglob("*.jpg")}
    for stem in predicted(out):
        assert any(each.startswith(stem) for each in found), (name, stem)


def test_convert_takes_it_back(written, capsys):
    name, out = written
    said = predicted(out)
    back = out / "back.csv"
    if name == "folders":
        found = {path.stem: path.parent.name for path in (out / name).rglob("*.*")}
        assert found == {stem: each["place"] for stem, each in said.items()}
        return
    if name == "coco_panoptic":
        name, annotations = "coco", ["--annotations", "panoptic_*"]
    else:
        annotations = []
    root = out / written[0]
    typed = ["convert", "datumaro", str(root), "--format", name, "--out", str(back), "--quiet", *annotations]
    assert main(typed) == 0
    table = read_table(back)
    names = json.loads((out / "back_files" / "classes.json").read_text())["semantic"]
    number = np.full(256, -1)
    number[[names.index(each) for each in CLASSES if each in names]] = [
        index for index, each in enumerate(CLASSES) if each in names
    ]
    for index, row in enumerate(table.rows):
        stem = Path(row["image"]).stem.removesuffix("_leftImg8bit")
        before, after = said[stem]["semantic"], number[load_label(table.resolve(index, "semantic"))]
        assert (before == after).mean() > (0.95 if name == "yolo" else 0.9999), (name, stem)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_the_library_reads_what_the_command_wrote(written):
    name, out = written
    if name not in BY_LIBRARY:
        pytest.skip("another reader")
    dm = pytest.importorskip("datumaro", reason="needs crosstask[formats]")
    dataset = dm.Dataset.import_from(str(out / name), BY_LIBRARY[name])
    names = [entry.name for entry in dataset.categories()[dm.AnnotationType.label].items]
    said, seen = predicted(out), 0
    for item in dataset:
        before = said[Path(item.id).name]["semantic"]
        masks = [each for each in item.annotations if each.type == dm.AnnotationType.mask]
        assert {names[each.label] for each in masks} == {CLASSES[each] for each in np.unique(before)}
        for each in masks:
            assert (np.asarray(each.image) == (before == CLASSES.index(names[each.label]))).all()
        seen += 1
    assert seen == len(said)


def test_a_format_that_is_none_is_one_line(place, capsys):
    typed = ["predict", str(place / "run"), str(place / "photos"), "--out", str(place / "no"), "--as", "cvta"]
    assert main([*typed, "--quiet"]) == 2
    assert "did you mean 'cvat'" in capsys.readouterr().err
    assert not (place / "no").exists()
