"""Further situations: valid labels that no network should learn from are told of, in a line with the remedy."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.data.check.check import check
from crosstask.data.check.preflight import preflight
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.sources import load_tables
from crosstask.errors import DataError
from crosstask.tasks import KINDS

SIZE = (12, 16)
RNG = np.random.default_rng(0)


def table(folder: Path, given: list, splits: list[str] | None = None, **columns: list[str]) -> str:
    """Labels that are arrays become files, text is a cell."""
    rows = []
    for index, label in enumerate(given):
        Image.fromarray(RNG.integers(0, 255, (*SIZE, 3)).astype(np.uint8)).save(folder / f"{index}.png")
        cell = label
        if isinstance(label, np.ndarray):
            cell = f"label{index}.npy"
            np.save(folder / cell, label)
        more = {column: cells[index] for column, cells in columns.items()}
        split = splits[index] if splits else "train"
        rows.append({"id": str(index), "image": f"{index}.png", "label": cell, "split": split, **more})
    with open(folder / "t.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(folder / "t.csv")


def told(path: str, options: dict | None) -> list[str]:
    tasks = None if options is None else {"label": KINDS[options["kind"]]("label", **_rest(options))}
    return [f"{each.severity} {each.where}: {each.message}" for each in check(load_tables(path), tasks).findings]


def _rest(options: dict) -> dict:
    return {key: value for key, value in options.items() if key != "kind"}


def ids() -> np.ndarray:
    return RNG.integers(0, 3, SIZE).astype(np.uint8)


def depth(unit: float = 1000.0) -> np.ndarray:
    return (RNG.random(SIZE) + 1) * unit


def normals(towards: float) -> np.ndarray:
    plain = RNG.normal(size=(*SIZE, 3)) * 0.2 + [0, 0, towards]
    return (plain / np.linalg.norm(plain, axis=-1, keepdims=True)).astype(np.float32)


ALIKE = ids()
CASES = {
    "a tag that is never known": (["a;?c", "b;?c"] * 3, {"kind": "tags", "classes": ["a", "b", "c"]}, "never.*: c"),
    "a number that is never known": (["1;", "2;"] * 3, {"kind": "scalars", "names": ["v", "w"]}, "never known.*: w"),
    "saliency of one value": ([np.full(SIZE, 0.5, np.float32)] * 6, {"kind": "saliency"}, "error.*0.5 at every pixel"),
    "depth of one value": ([np.full(SIZE, 9, np.uint16)] * 6, {"kind": "depth"}, "error.*0.009 m at every pixel"),
    "planes": ([np.full(SIZE, 9 + i, np.uint16) for i in range(6)], {"kind": "depth"}, "each label holds one value"),
    "one direction": ([np.full((*SIZE, 3), [0, 0, 1.0])] * 6, {"kind": "normals"}, "each label holds one direction"),
    "normals of the other side": ([normals(-1) for _ in range(4)], {"kind": "normals"}, "100% .* away from .*negate"),
    "normals as BGR": ([normals(1)[..., ::-1] for _ in range(4)], {"kind": "normals"}, None),
    "the same map for all": ([ALIKE] * 6, {"kind": "segmentation", "classes": 3}, "most labels are the same"),
    "spellings": (["Cat", "cat", "dog"] * 2, None, "differ by their spelling alone.*'Cat' and 'cat'"),
    "two ways of one letter": (["caf\u00e9", "cafe\u0301", "x"] * 2, None, "differ by their spelling alone"),
    "several names in one": (["dog,cat", "cat", "dog"] * 2, None, "'dog,cat' is a class .*joined by ';'"),
    "several names in one, not all alone": (["cat|dog", "dog"] * 2, None, "'cat\\|dog' is a class .*joined by ';'"),
    "several names in one, by spaces": (
        ["haze primary", "clear primary", "clear", "haze", "clear primary water", "haze water", "cloudy"], None,
        r"the 7 classes are sets of 5 words \(clear, cloudy, haze, primary, water\): .*joined by ';'",
    ),
    "-1 beside 0 and 1": (["-1", "0", "1"] * 2, None, r"-1 is no label in 2 rows: give classes: \['-1', '0', '1'\]"),
    "-1 beside 1": (["-1.0", "1.0"] * 2, None, r"warning.*give classes: \['-1', '1'\] .* beside 1,"),
    "integers and floats": (
        [depth().astype(np.uint16), depth(1.0).astype(np.float32)] * 3, {"kind": "depth", "unit": 0.001},
        "error.*integers and of floats alike",
    ),
    "positions from 1": (["1", "2"] * 4, {"kind": "category", "classes": ["a", "b", "c"]}, "if yours begin at 1"),
    "one far number": (["0.5", "0.4", "0.3", "9999"], {"kind": "scalars", "names": ["a"]}, r"set unknown: \[9999\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_told(name, tmp_path):
    labels, options, message = CASES[name]
    found = " | ".join(told(table(tmp_path, labels), options))
    if message is None:  # half of such normals point away: at most a doubt, and no false alarm where it is not so
        assert "error" not in found
    else:
        import re

        assert re.search(message, found), found


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([ids() for _ in range(6)], {"kind": "segmentation", "classes": 3}),
        ([np.zeros(SIZE, np.uint8)] * 5 + [ids() for _ in range(3)], {"kind": "segmentation", "classes": 3}),
        ([depth().astype(np.uint16) for _ in range(6)], {"kind": "depth"}),
        ([normals(1) for _ in range(6)], {"kind": "normals"}),
        (["a", "b", "a,c"] * 2, {"kind": "category", "classes": ["a", "b", "a,c"]}),
        (["light blue", "dark blue", "light red", "dark red", "blue", "red"], None),
        (
            [
                "left upper outer",
                "left upper inner",
                "left lower outer",
                "left lower inner",
                "right upper outer",
                "right upper inner",
                "right lower outer",
                "right lower inner",
            ],
            None,
        ),
        (["lion", "sea lion", "mountain lion", "common sea snake", "water snake"], None),
        (["-1", "0", "1"] * 2, {"kind": "category", "classes": 2, "unknown": [-1]}),
        (["-1", "0", "1"] * 2, {"kind": "category", "classes": ["-1", "0", "1"]}),
        (["-1", "0", "1"] * 2, {"kind": "category", "classes": ["no", "yes"]}),
    ],
)
def test_nothing_is_told_of_labels_as_they_should_be(labels, options, tmp_path):
    found = told(table(tmp_path, labels), options)
    assert not [line for line in found if not line.startswith("info")], found


def test_splits_in_other_units(tmp_path):
    labels = [depth().astype(np.uint16)] * 4 + [depth(1.0).astype(np.uint16)] * 3
    found = told(table(tmp_path, labels, ["train"] * 4 + ["test"] * 3), {"kind": "depth"})
    assert any("splits differ in the median" in line for line in found)


def test_cameras_of_other_images_and_none(tmp_path):
    labels, camera = [depth().astype(np.uint16) for _ in range(3)], {"fx": ["500"] * 3, "fy": ["500"] * 3}
    found = told(table(tmp_path, labels, **camera, cx=["320"] * 3, cy=["240"] * 3), {"kind": "depth"})
    assert any("principal point is 320, 240, outside the image (12x16" in line for line in found)
    camera = {"fx": ["0"] * 3, "fy": ["0"] * 3, "cx": ["8"] * 3, "cy": ["6"] * 3}
    assert any(line.startswith("error fx") for line in told(table(tmp_path, labels, **camera), {"kind": "depth"}))


def test_a_column_that_is_nearly_the_task(tmp_path):
    path = table(tmp_path, [ids(), ids(), ""], labels=["", "", "label0.npy"])
    assert any("1 rows have a cell here" in line for line in told(path, {"kind": "segmentation", "classes": 3}))


def test_pages_of_a_label(tmp_path):
    pages = [Image.fromarray(ids()) for _ in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    found = told(table(tmp_path, ["pages.tif"]), {"kind": "segmentation", "classes": 3})
    assert any("it holds 2 pages, a label is one" in line for line in found)


@pytest.mark.parametrize("weight", ["nan", "-1", "inf"])
def test_weights_that_are_none(tmp_path, weight):
    path = table(tmp_path, [ids(), ids()], **{"label.weight": [weight, "1"]})
    found = told(path, {"kind": "segmentation", "classes": 3})
    assert any(line.startswith("error label.weight") and weight in line for line in found)


def test_weights_that_leave_all_out_are_named_and_no_value_is(tmp_path):
    path = table(tmp_path, [ids(), ids()], **{"label.weight": ["0", "0"]})
    found = told(path, {"kind": "segmentation", "classes": 3})
    assert any("weights of 0 leave 100% of the pixels out" in line for line in found)


def test_a_training_refuses_a_constant(tmp_path):
    tasks = {"label": KINDS["depth"]("label")}
    path = table(tmp_path, [np.full(SIZE, 2000, np.uint16)] * 6)
    with pytest.raises(DataError, match="2 m at every pixel"):
        preflight(TableDataset(load_tables(path), tasks), tasks)
