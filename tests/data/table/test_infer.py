"""Kinds of columns guessed from words and files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from crosstask.data.table.infer import infer_tasks
from crosstask.data.table.table import Table
from crosstask.remote import fetch
from crosstask.tasks.cells import from_text

SIZE = (48, 64)
MASK = np.eye(*SIZE, dtype=np.uint8) * 2
RAMP = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE)


def save(path: Path, array: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path.name


def guess(folder: Path, cells: list[str]):
    """What a column `a` with these cells is taken for."""
    rows = [{"image": f"{i}.jpg", "a": from_text(cell)} for i, cell in enumerate(cells)]
    return infer_tasks(Table(folder / "t.csv", ("image", "a"), rows))


@pytest.mark.parametrize(
    ("cells", "kind", "channels"),
    [
        (["0.1;0.2", ";0.4", "-1;3"], "scalars", 2),
        (["0.5", "0.75", ""], "scalars", 1),
        (["3", "1", "0"], "category", 4),
        (["3;1", "1", "0"], "tags", 4),
        (["cat;?dog", "-"], "tags", 2),
        (["light blue", "red"], "category", 2),
        (["40 mm", "50 mm", "40 mm"], "category", 2),
        (["3", "17", "999"], "category", 1000),
        (["[3, 17]", "[17]", "[90, 3]"], "tags", 91),
        (["0", "inf", "NAN"], "scalars", 1),
        (["20-30", "(25, 32)"], "category", 2),
        (["gone/1.png", "gone/2.png"], None, 0),
        (["", ""], None, 0),
    ],
)
def test_text_is_told_apart(tmp_path, cells, kind, channels):
    guessed, notes = guess(tmp_path, cells)
    assert len(notes) == 1
    if kind is None:
        assert guessed == {}
    else:
        assert (guessed["a"].kind, guessed["a"].channels) == (kind, channels)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([f"202401{day}" for day in range(10, 22)], "12 different numbers up to 20240121 are too far apart for"),
        (["1704067200", "1704067260", "-"], "2 different numbers up to 1704067260 are too far apart"),
        (["2019", "2020", "2021"], "3 different numbers up to 2021 are too far apart"),
        (["16 0", "5", "7 1 2 0"], "'16 0' is several numbers: join them by ';'"),
        (["8|5|0", "14|0", "6", "-"], "'14|0' is several numbers"),
        (["1 0 0", "0 1 0"], "'0 1 0' is several numbers"),
        ([f"{age} y" for age in range(20, 32)], "'20 y' is a number with a unit: write the number alone"),
        (["\u22121", "1", "0.5"], "'\u22121' is no number: write a decimal point, a plain minus and no unit"),
        (["12\u00b0", "40.5 \u00b0C"], "'12\u00b0' is no number"),
        (["2024-01-01", "2024-01-02T12:30"], "'2024-01-01' is a date"),
        (["31.12.2023", "1.1.2024"], "'1.1.2024' is a date"),
        (["[12, 4, 30, 40]", "[1, 2, 3, 4]"], "4 whole numbers in each cell, '[12, 4, 30, 40]' say"),
    ],
)
def test_what_is_no_name_is_not_taken_for_one(tmp_path, cells, why):
    guessed, notes = guess(tmp_path, cells)
    assert guessed == {}
    assert why in notes[0].text


@pytest.mark.parametrize(
    ("cells", "kind", "note"),
    [
        (
            ["low", "high", "-", "low"],
            "tags",
            r"'-' taken for none of them: kind: category with unknown: \['-'\] where it",
        ),
        (["cat;dog", "cat", "-"], "tags", "say$"),
        (["0.5", "-", "0.7"], "scalars", "'-' taken for no label"),
        (["-3", "2", "-"], "scalars", "'-' taken for no label"),
    ],
)
def test_a_dash_is_no_tag_or_no_number_and_is_told(tmp_path, cells, kind, note):
    guessed, notes = guess(tmp_path, cells)
    task = guessed["a"]
    assert task.kind == kind
    assert bool(task.parse("-").isnan().all()) == (kind == "scalars")
    assert re.search(note, notes[0].text)


def test_more_classes_than_occur_where_they_are_named(tmp_path):
    (tmp_path / "classes.json").write_text(json.dumps({"a": [f"c{index}" for index in range(3000)]}))
    assert guess(tmp_path, ["2019", "2999"])[0]["a"].channels == 3000


@pytest.mark.parametrize(
    ("column", "array", "kind"),
    [
        ("anything", RAMP + 1000, "depth"),
        ("anything", np.full(SIZE, 4000, np.uint16), None),
        ("anything", (RAMP % 256).astype(np.uint8), None),
        ("instance", RAMP // 500 * 1000, None),
        ("inverse_depth", RAMP, "disparity"),
        ("alpha", (RAMP % 256).astype(np.uint8), "saliency"),
        ("mask", np.eye(*SIZE, dtype=np.uint16) * 65535, "saliency"),
        ("semantic", np.stack([MASK] * 3, -1), "segmentation"),
        ("mask", np.stack([MASK // 2 * 255] * 3, -1), "saliency"),
        ("depth_8", np.full(SIZE, 40, np.uint8), "depth"),
        ("disparity", np.full(SIZE, 4000, np.uint16), "disparity"),
        ("mask", np.eye(*SIZE, dtype=np.uint8) * 255, "saliency"),
        ("mask", np.eye(*SIZE, dtype=np.uint8), "segmentation"),
        ("colours", np.zeros((*SIZE, 3), np.uint8), None),
    ],
)
def test_files_are_told_apart(tmp_path, column, array, kind):
    rows = [{"image": "1.jpg", column: save(tmp_path / "l.png", array)}]
    guessed, _ = infer_tasks(Table(tmp_path / "t.csv", ("image", column), rows))
    assert [task.kind for task in guessed.values()] == ([kind] if kind else [])


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_masks_with_soft_edges_are_no_classes(tmp_path, ending):
    figure = Image.fromarray((np.hypot(*np.ogrid[-24:24, -32:32]) < 15).astype(np.uint8) * 255)
    if ending == "png":
        figure = figure.resize((80, 60), Image.Resampling.BILINEAR)
    figure.save(tmp_path / f"mask.{ending}", quality=85)
    assert guess(tmp_path, [f"mask.{ending}"])[0]["a"].kind == "saliency"


@pytest.mark.parametrize(("count", "rare"), [(40, 3), (250, 249)])
def test_what_most_files_do_not_hold_decides(tmp_path, count, rare):
    save(tmp_path / "empty.png", MASK * 0)
    save(tmp_path / "full.png", MASK + MASK // 2)
    guessed, _ = guess(tmp_path, ["full.png" if index == rare else "empty.png" for index in range(count)])
    assert (guessed["a"].kind, guessed["a"].channels) == ("segmentation", 4)


@pytest.mark.parametrize("cell", [".\\masks\\0.png", "masks\\0.PNG", "masks/0.png"])
def test_paths_are_followed_however_they_are_written(tmp_path, cell):
    save(tmp_path / "masks" / "0.png", MASK)
    (tmp_path / "masks" / "0.PNG").write_bytes((tmp_path / "masks" / "0.png").read_bytes())
    guessed, _ = guess(tmp_path, [cell, ""])
    assert (guessed["a"].kind, guessed["a"].channels) == ("segmentation", 3)


def test_urls_are_followed_and_what_is_gone_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "WAIT", 0.001)
    save(tmp_path / "0.png", MASK)
    store = fsspec.filesystem("memory")
    store.pipe("/masks/0.png", (tmp_path / "0.png").read_bytes())
    guessed, _ = guess(tmp_path, ["memory://masks/0.png"])
    assert (guessed["a"].kind, guessed["a"].channels) == ("segmentation", 3)
    store.rm("/masks", recursive=True)
    guessed, notes = guess(tmp_path, ["memory://masks/1.png"])
    assert not guessed
    assert [note.severity for note in notes] == ["error"]
    assert "memory://masks/1.png" in notes[0].text


def test_a_copy_of_the_names_of_the_images_is_no_missing_label(tmp_path):
    rows = [{"image": f"../{i}.png", "original": f"{i}.png"} for i in range(3)]
    _, notes = infer_tasks(Table(tmp_path / "below" / "t.csv", ("image", "original"), rows))
    assert [note.severity for note in notes] == ["info"]
