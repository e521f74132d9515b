"""A first recipe from a table: it is read back as it was meant, every choice has a reason, and it trains as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from crosstask.cli import main
from crosstask.data.check.check import check
from crosstask.data.labels.balance import balance_classes
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError
from crosstask.recipe import Recipe
from crosstask.splits import load_splits
from crosstask.start.survey import survey
from crosstask.start.write import write
from tests.tiny import write_tiny


def started(path: Path) -> tuple[str, Recipe]:
    text = write(survey(read_table(path)), str(path))
    return text, Recipe.of(yaml.safe_load(text))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("start"), 8, (64, 96))


def test_what_is_in_the_table_is_in_the_recipe(tiny):
    text, recipe = started(tiny)
    tasks = recipe.sections["tasks"]
    assert {name: task["kind"] for name, task in tasks.items()} == {
        "semantic": "segmentation", "depth": "depth", "normals": "normals", "tags": "tags", "place": "category",
    }  # fmt: skip
    assert tasks["semantic"]["classes"] == 3
    assert tasks["tags"]["classes"] == ["cat", "sofa"]
    assert tasks["place"]["classes"] == ["indoor", "outdoor"]
    assert tasks["depth"]["typical"] == pytest.approx(1.525, abs=0.05)
    assert tuple(recipe.data.size) == (64, 96)
    assert recipe.sections["network"]["pretrained"] is True
    assert set(recipe.sections["balancing"]["weights"]) == {"depth", "normals"}
    assert "geometry: depth and normals can teach each other once the table has the camera" in text
    keys = [line for line in text.splitlines() if ": " in line and not line.strip().startswith("#")]
    assert sum("#" in line for line in keys) > len(keys) / 2


def test_the_last_ids_are_found_in_whichever_file_they_are(tiny, tmp_path):
    table = read_table(tiny)
    mask = np.zeros((64, 96), np.uint8)
    mask[:2] = 7
    Image.fromarray(mask).save(tmp_path / "rare.png")
    rows = [
        row | {"semantic": str(tmp_path / "rare.png")} if index == 5 else row for index, row in enumerate(table.rows)
    ]
    write_table(replace(table, rows=rows), tmp_path / "rare.csv")
    _, recipe = started(tmp_path / "rare.csv")
    task = recipe.sections["tasks"]["semantic"]
    assert (task["classes"], task["class_weights"]) == (8, "balanced")


@pytest.mark.parametrize("form", ["json", "list", "ids", "txt", "files"])
def test_names_of_classes_that_lie_beside_the_table(form, tiny, tmp_path):
    table = read_table(tiny)
    columns = ("id", "image", "split", "semantic", "place")
    rows = [{column: row[column] for column in columns} for row in table.rows]
    written = write_table(replace(table, columns=columns, rows=rows), tmp_path / "t.csv")
    names = ["floor", "wall", "box", "lamp"]
    if form == "txt":
        (tmp_path / "classes.txt").write_text("\n".join(names) + "\n")
    else:
        folder = tmp_path / ("t_files" if form == "files" else "")
        folder.mkdir(exist_ok=True)
        content = {"list": names, "ids": dict(enumerate(names))}.get(form, {"semantic": names, "place": ["a", "b"]})
        (folder / "classes.json").write_text(json.dumps(content))
    text, recipe = started(written.path)
    assert recipe.sections["tasks"]["semantic"]["classes"] == names  # also what no label holds
    assert recipe.sections["tasks"]["place"]["classes"] == ["indoor", "outdoor"]
    if form in ("json", "files"):
        assert "the 2 names listed beside the table do not fit its labels" in check(read_table(written.path)).__repr__()
    assert "as listed beside the table" in text


def test_more_classes_than_a_byte_holds_where_they_are_named(tiny, tmp_path):
    table = read_table(tiny)
    rows = []
    for index, row in enumerate(table.rows):
        Image.fromarray(np.full((64, 96), 290 + index % 3, np.uint16)).save(tmp_path / f"{index}.png")
        rows.append({"id": row["id"], "image": str(tiny.parent / row["image"]), "semantic": f"{index}.png"})
    path = write_table(Table(tmp_path / "many.csv", ("id", "image", "semantic"), rows), tmp_path / "many.csv").path
    names = [f"c{index}" for index in range(300)]
    (tmp_path / "classes.json").write_text(json.dumps({"semantic": names}))
    assert started(path)[1].sections["tasks"]["semantic"]["classes"] == names


def test_why_files_cannot_be_read_is_said(tiny, tmp_path):
    table = read_table(tiny)
    alpha = np.zeros((64, 96, 4), np.uint8)
    alpha[:9, :, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "a.png")
    rows = [{"id": "a", "image": str(tiny.parent / table.rows[0]["image"]), "mask": "a.png"}]
    path = write_table(Table(tmp_path / "alpha.csv", ("id", "image", "mask"), rows), tmp_path / "alpha.csv").path
    with pytest.raises(DataError, match="its alpha channel holds 0 to 255"):
        started(path)


def test_a_column_of_missing_files_is_not_left_out(tiny):
    table = read_table(tiny)
    gone = replace(table, rows=[{**row, "depth": "gone/1.png"} for row in table.rows])
    with pytest.raises(DataError, match="column depth: not checked, 'gone/1\\.png' looks like a file but"):
        survey(gone)


def test_names_that_are_too_few_or_none_are_not_taken(tiny, tmp_path):
    written = write_table(read_table(tiny), tmp_path / "t.csv")
    for names in ({"semantic": ["floor", "wall"]}, {}):
        (tmp_path / "classes.json").write_text(json.dumps(names))
        _, recipe = started(written.path)
        assert recipe.sections["tasks"]["semantic"]["classes"] == 3
    (tmp_path / "classes.json").write_text(json.dumps({"semantic": "floor"}))
    with pytest.raises(DataError, match=r"classes\.json: is no list of names"):
        started(written.path)


def test_a_camera_brings_geometry_and_sets_of_labels_are_mixed(tiny, tmp_path):
    table = read_table(tiny)
    camera = {"fx": "50", "fy": "50", "cx": "48", "cy": "32"}
    write_table(
        replace(table, columns=(*table.columns, *camera), rows=[row | camera for row in table.rows]),
        tmp_path / "both.csv",
    )
    text, recipe = started(tmp_path / "both.csv")
    assert list(recipe.sections["objectives"]) == ["supervised"]  # geometry would count nothing
    assert "# geometry: nothing to do where depth and normals are known of the same images" in text
    rows = [row | camera | ({"depth": ""} if index % 2 else {}) for index, row in enumerate(table.rows)]
    write_table(replace(table, columns=(*table.columns, *camera), rows=rows), tmp_path / "camera.csv")
    _, recipe = started(tmp_path / "camera.csv")
    assert list(recipe.sections["objectives"]) == ["supervised", "geometry"]
    assert recipe.data.mixed


def test_marks_of_no_label_are_no_labels(tiny, tmp_path):
    table = read_table(tiny)
    rows = [row | ({"tags": "NaN"} if index % 2 else {}) for index, row in enumerate(table.rows)]
    path = write_table(replace(table, rows=rows), tmp_path / "marks.csv").path
    found = survey(read_table(path))
    assert (found.rows, found.labelled["tags"]) == (6, 4)
    assert started(path)[1].data.mixed


def test_classes_and_tags_that_never_meet_are_told_of(tiny, tmp_path):
    table = read_table(tiny)
    rows = [row | ({"tags": ""} if index % 2 else {"place": ""}) for index, row in enumerate(table.rows)]
    write_table(replace(table, rows=rows), tmp_path / "apart.csv")
    text, _ = started(tmp_path / "apart.csv")
    assert "place and tags never meet" in text


@pytest.mark.parametrize("name", ["yes", "1.5", "a: b", "#1", "nul", "été", "it's"])
def test_names_that_yaml_would_read_as_something_else_come_back(tiny, tmp_path, name):
    table = read_table(tiny)
    rows = [row | {"place": name if index % 2 else "other"} for index, row in enumerate(table.rows)]
    only = ("id", "image", "split", "place")
    rows = [{column: row[column] for column in only} for row in rows]
    write_table(replace(table, columns=only, rows=rows), tmp_path / "names.csv")
    _, recipe = started(tmp_path / "names.csv")
    classes = recipe.sections["tasks"]["place"]["classes"]
    assert set(classes) == {name, "other"}


def test_usual_names_of_splits_are_used(tiny, tmp_path):
    table = read_table(tiny)
    rows = [row | {"split": {"train": "training", "test": "valid"}[row["split"]]} for row in table.rows]
    write_table(replace(table, rows=rows), tmp_path / "splits.csv")
    _, recipe = started(tmp_path / "splits.csv")
    assert recipe.data.train_split in ("training", "train")
    assert recipe.data.validation_split in ("valid", "val")


def test_rows_of_a_test_split_do_not_become_those_of_training(tiny, tmp_path):
    table = read_table(tiny)
    rows = [row | {"split": row["split"].replace("train", "")} for row in table.rows]
    path = write_table(replace(table, rows=rows), tmp_path / "blank.csv").path
    with pytest.raises(DataError, match="no row of a training split, found test: write train"):
        started(path)


def test_it_trains_as_it_is_and_is_not_written_over_a_file(tiny, tmp_path, capsys):
    out = tmp_path / "mine.yaml"
    assert main(["start", str(tiny), "--out", str(out), "--quiet", "--workers", "0"]) == 0
    flags = ["--network.encoder", "small", "--network.pretrained", "false", "--training.iterations", "2", "--quiet"]
    assert main(["train", str(out), "--out", str(tmp_path / "run"), "--data.workers", "0", *flags]) == 0
    assert main(["start", str(tiny), "--out", str(out), "--quiet"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_balanced_weights_are_those_of_the_training_labels(tiny):
    sections = {"tasks": {"semantic": {"kind": "segmentation", "classes": 3, "class_weights": "balanced"}}}
    recipe = Recipe.of({"data": {"table": str(tiny), "validation_fraction": 0}, **sections})
    tasks = recipe.tasks()
    train = load_splits(recipe.data, tasks).train
    counts = sum(
        np.bincount(train[index].targets["semantic"].flatten().numpy(), minlength=3) for index in range(len(train))
    )
    shares = counts / counts.sum()
    expected = shares**-0.5 / (shares * shares**-0.5).sum()
    assert tasks["semantic"].class_weights is None
    balance_classes(tasks, train)
    np.testing.assert_allclose(tasks["semantic"].class_weights.numpy(), expected, rtol=1e-5)


def test_metres_in_files_of_floats_stay_metres(tiny, tmp_path):
    table = read_table(tiny)
    rows = []
    for index, row in enumerate(table.rows):
        np.save(tmp_path / f"{index}.npy", np.full((64, 96), 2.5, np.float32))
        rows.append({"id": row["id"], "image": str(tiny.parent / row["image"]), "depth": f"{index}.npy"})
    write_table(Table(tmp_path / "float.csv", ("id", "image", "depth"), rows), tmp_path / "float.csv")
    _, recipe = started(tmp_path / "float.csv")
    assert recipe.tasks()["depth"].parse(np.full((2, 3), 2.5, np.float32)).max() == 2.5
    assert recipe.sections["tasks"]["depth"]["typical"] == 2.5


def of_column(tiny: Path, folder: Path, column: str, cells: list[str]) -> Path:
    """A table of that one column beside the images, without splits."""
    rows = [
        {"id": row["id"], "image": str(tiny.parent / row["image"]), column: cell}
        for row, cell in zip(read_table(tiny).rows, cells * 8, strict=False)
    ]
    return write_table(Table(folder / "one.csv", ("id", "image", column), rows), folder / "one.csv").path


def of_depth(tiny: Path, folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "d.npy", array)
    return of_column(tiny, folder, "depth", ["d.npy"])


def test_what_most_files_mark_is_no_measurement(tiny, tmp_path):
    """The finding names both, [65535] and [] where it is one: the recipe took the second, and 65.5 m for a label."""
    array = np.full((64, 96), 2500, np.uint16)
    array[:9] = 65535
    _, recipe = started(of_depth(tiny, tmp_path, array))
    depth = recipe.sections["tasks"]["depth"]
    assert (depth["typical"], depth["unit"], depth["invalid"]) == (2.5, 0.001, [65535])


def test_numbers_are_those_of_labels_read_as_the_recipe_reads_them(tiny, tmp_path):
    """Typical was 2500 "metres" beside the unit that made them 2.5."""
    _, recipe = started(of_depth(tiny, tmp_path, np.linspace(1500, 3500, 64 * 96, dtype=np.float32).reshape(64, 96)))
    depth = recipe.sections["tasks"]["depth"]
    assert (depth["typical"], depth["unit"]) == (2.5, 0.001)


def test_where_millimetres_may_be_centimetres_both_are_said(tiny, tmp_path):
    text, recipe = started(of_depth(tiny, tmp_path, np.linspace(70, 769, 64 * 96, dtype=np.float32).reshape(64, 96)))
    assert recipe.sections["tasks"]["depth"]["unit"] == 0.001
    assert "# check warns: depth: depth is 70 to 769 m" in text
    assert "set unit: 0.001 (0.01 if they are centimetres)" in text


def test_labels_of_turned_images_are_left_as_they_are_taken_to_be(tiny, tmp_path):
    """They may be stored or upright: a recipe that says stored turns those that are not."""
    image = Image.new("RGB", (96, 64))
    exif = image.getexif()
    exif[0x0112] = 3
    image.save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (64, 24))).save(tmp_path / "ids.png")
    rows = [{"id": name, "image": "turned.png", "semantic": "ids.png"} for name in "abc"]
    write_table(Table(tmp_path / "t.csv", ("id", "image", "semantic"), rows), tmp_path / "t.csv")
    text, recipe = started(tmp_path / "t.csv")
    assert recipe.sections["tasks"]["semantic"]["orientation"] == "auto"
    assert "orientation: stored where they were drawn on the stored pixels" in text


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["001", "007", "012"], [0, 1, 2]),  # codes, that were written down as three classes without names
        (["dog", "unknown", "cat"], [1, -1, 0]),
        (["0.5", "missing", "-1"], [0.5, np.nan, -1]),  # where -1 is a number as any other
        (["0.5", "missing", "-999", "0.25", "0.75"], [0.5, np.nan, np.nan, 0.25, 0.75]),
    ],
)
def test_the_recipe_reads_the_cells_it_was_made_of(cells, values, tiny, tmp_path):
    path = of_column(tiny, tmp_path, "thing", cells)
    _, recipe = started(path)
    task = recipe.tasks()["thing"]
    np.testing.assert_array_equal([float(task.parse(cell)) for cell in cells], values)
    assert not check(read_table(path), recipe.tasks()).errors
