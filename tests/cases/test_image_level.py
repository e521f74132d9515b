"""Labels of whole images as people have them: the right value in memory, or one line from check and from train."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from crosstask.cli import main
from crosstask.data.table.table import read_table
from crosstask.errors import DataError
from crosstask.tasks import Tagging
from tests.cases.situations import before_training, checked, said, targets

EXPRESSIONS = ["neutral", "happy", "sad", "anger"]


@pytest.mark.parametrize("table", ["data.jsonl", "data.parquet", "lists.csv", "from_json.csv"])
def test_01_multihot(situation, table, capsys):
    """A 0/1 vector is presence of each tag: in JSONL, Parquet, a CSV file that pandas wrote, and tags.json."""
    case = situation("01_multihot")
    if table == "data.parquet":
        pytest.importorskip("pyarrow")
    truth = json.loads((case.folder / "truth.json").read_text())
    if table == "lists.csv":
        case.table(table, ["image", "split", "tags"], [(f"img/{i}.png", "train", str(v)) for i, v in truth.items()])
    if table == "from_json.csv":
        assert main(["table", ".", "--out", table, "--image", "img/*.png", "--tags", "tags.json"]) == 0
    recipe = case.recipe({"table": table})
    found = targets(recipe, "tags")
    assert found == {name: [float(each) for each in truth[name]] for name in found}
    assert len(found) >= 12
    assert not [error for error in checked(recipe).errors if error.where == "tags"]
    assert "tags: 100% known" in str(before_training(recipe))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ([True, False, True, None, False], None),
        ([1, 1, 0], "neither one value for each of the 5 tags"),
        ([1, -1, 1, -1, -1], r"absent: \[-1\]"),
        ([], "an empty list"),
        ({"dog": 1, "wolf": 0}, "'wolf'"),
    ],
)
def test_01_multihot_of_other_forms(situation, cell, words):
    case = situation("01_multihot")
    rows = [{"image": f"img/{i:02}.png", "tags": [1, 0, 1, 0, 1] if i else cell} for i in range(16)]
    (case.folder / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = case.recipe({"table": "other.jsonl"})
    if words is None:
        np.testing.assert_array_equal(targets(recipe, "tags")["00"], [1, 0, 1, np.nan, 0])
        return
    with pytest.raises(DataError, match=words):
        before_training(recipe)
    assert words.replace("\\", "") in said(checked(recipe), "error")


def test_06_affect_celeba(situation):
    """Attributes of -1 and 1 beside a category that begins at 0."""
    situation("06_affect")
    options = ["--images", "faces", "--category", "expression", "--tags", "Smiling,Male", "--absent", "-1"]
    assert main(["convert", "attributes", "celeba.csv", "--out", "out.csv", *options]) == 0
    rows = read_table("out.csv").rows
    assert [row["category"] for row in rows] == ["0", "3", "0", "1", "", "2", "0", "3"]
    assert [row["tags"] for row in rows][:4] == ["-", "Smiling;Male", "Male", "Smiling"]


def test_06_affect_marks_that_may_be_categories(situation, capsys):
    situation("06_affect")
    options = ["--images", "faces", "--category", "expression", "--tags", "Smiling,Male", "--absent", "-1"]
    assert main(["convert", "attributes", "celeba.csv", "--out", "out.csv", *options, "--unknown", "0"]) == 2
    assert "--unknown Smiling=0 or expression=0" in capsys.readouterr().err
    marks = ["--unknown", "expression=-1,Smiling=9"]
    assert main(["convert", "attributes", "celeba.csv", "--out", "out.csv", *options, *marks]) == 0
    assert read_table("out.csv").rows[4]["category"] == ""


def test_06_affect_as_pandas_writes_it(situation):
    situation("06_affect")
    options = ["--images", "faces", "--split", "split", "--category", "expression", "--tags", "AU1,AU2"]
    options += ["--scalars", "valence,arousal", "--missing", "-5,-2"]
    assert main(["convert", "attributes", "pandas.csv", "--out", "out.csv", *options]) == 0
    rows = read_table("out.csv").rows
    assert [row["category"] for row in rows] == ["3", "", "0", ""]
    assert [row["tags"] for row in rows] == ["AU1", "?AU2", "?AU1;AU2", "-"]
    assert [row["scalars"] for row in rows] == ["-0.2;0.6", "", "0.1;0.1", ""]


def test_06_affect_in_a_table_of_its_own(situation):
    """The same columns used as they are: NaN and None are no label, -1 and declared marks neither, 3.0 is 3."""
    case = situation("06_affect")
    shutil.copy("pandas.csv", "faces/pandas.csv")
    tasks = {
        "expression": {"kind": "category", "classes": EXPRESSIONS},
        "valence": {"kind": "scalars", "names": ["valence"], "unknown": [-5, -2]},
    }
    recipe = case.recipe({"table": "faces/pandas.csv", "validation_fraction": 0}, **tasks)
    assert targets(recipe, "expression") == {"0000": 3, "0001": -1, "0002": 0}
    np.testing.assert_allclose(list(targets(recipe, "valence").values()), [[-0.2], [np.nan], [0.1]], rtol=1e-6)
    accounts = checked(recipe).accounts
    assert accounts["test"]["expression"].blanks == {"-1.0": 1}
    assert accounts["train"]["valence"].blanks == {"-5.0": 1}
    assert "no label: '-5.0' in 1 rows" in str(before_training(recipe))
    shutil.copy("nan.csv", "faces/nan.csv")
    tasks["valence"].pop("unknown")
    recipe = case.recipe({"table": "faces/nan.csv", "validation_fraction": 0}, **tasks)
    assert targets(recipe, "expression") == {"0000": 1, "0001": -1, "0002": -1}


def test_06_affect_marks_that_were_forgotten_are_told(situation):
    case = situation("06_affect")
    rows = [(f"faces/{i:04}.jpg", [0.1, -5, 0.3, -0.4, -5, 0.9, 0.0, -0.7][i]) for i in range(8)]
    case.table("v.csv", ["image", "valence"], rows)
    recipe = case.recipe({"table": "v.csv"}, valence={"kind": "scalars", "names": ["valence"]})
    assert "valence is -5 in 2 rows" in said(checked(recipe), "warning")
    assert "set unknown: [-5]" in said(checked(recipe), "warning")


def test_06_affect_windows_paths(situation):
    case = situation("06_affect")
    recipe = case.recipe(
        {"table": "win.csv", "validation_fraction": 0}, expression={"kind": "category", "classes": EXPRESSIONS}
    )
    assert targets(recipe, "expression") == {"0000": 1, "0001": 2}
    assert not checked(recipe).errors


@pytest.mark.parametrize("classes", [["1", "2", "3", "4", "5"], [1, 2, 3, 4, 5]])
def test_14_numeric_names(situation, classes):
    """A number is a name where names are numbers: 0, no class, is an error and never class 1."""
    case = situation("14_numeric_names")
    recipe = case.recipe(grade={"kind": "category", "classes": classes})
    with pytest.raises(DataError, match=r"grade.*'0' is not one of the 5 \(1, 2, 3, 4, 5\).*unknown: \[0\]"):
        before_training(recipe)
    assert "'0' is not one of the 5" in said(checked(recipe), "error")
    recipe = case.recipe(grade={"kind": "category", "classes": classes, "unknown": [0]})
    assert list(targets(recipe, "grade").values()) == [0, 1, 2, 3, 4, -1, 0, 1]
    assert "no label: '0' in 1 rows" in str(before_training(recipe))
    assert not checked(recipe).errors


def test_a_vector_and_positions_in_one_column_are_told():
    task = Tagging("tags", classes=3)
    assert [task.reading(cell) for cell in ("1;0;1", "0;2", "2")] == ["a value for each tag", "names", "names"]
    task = Tagging("tags", classes=["a", "b", "c"])
    assert [task.reading(cell) for cell in ("1;0;1", "0;2", "a")] == ["a value for each tag", "positions", "names"]
