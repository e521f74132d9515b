from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError, RecipeError
from crosstask.relatedness import RelateOptions, infer, read_relatedness
from crosstask.relatedness.estimate import count, means, shares
from crosstask.tasks import KINDS
from tests.shared import shared

PLAIN = RelateOptions(min_support=1, smoothing=0)


def test_counts_and_shares_equal_the_reference():
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        arrays = {key: torch.from_numpy(given[key]) for key in ("emp_expr", "emp_au", "emp_mask", "emp_count", "emp_P")}
    attributes = arrays["emp_au"].where(arrays["emp_mask"] > 0, torch.nan)
    found = shares(count(arrays["emp_expr"], attributes, 7), smoothing=0, min_support=1)
    torch.testing.assert_close(found.support, arrays["emp_count"])
    torch.testing.assert_close(found.values, arrays["emp_P"], rtol=0, atol=1e-6)


def test_intervals_are_those_of_wilson():
    scipy = pytest.importorskip("scipy.stats")
    attributes = torch.tensor([1.0] * 3 + [0.0] * 9)[:, None]
    found = shares(count(torch.zeros(12, dtype=torch.long), attributes, 1), level=0.9)
    expected = scipy.binomtest(3, 12).proportion_ci(0.9, method="wilson")
    assert (float(found.low), float(found.high)) == pytest.approx((expected.low, expected.high))
    assert float(found.values) == pytest.approx(4 / 14)  # Laplace's rule


def test_too_little_support_is_unknown_and_a_floor_is_no_relation():
    classes = torch.tensor([0] * 10 + [1] * 2)
    attributes = torch.tensor([[1.0, 0.0]] * 9 + [[0.0, 1.0]] + [[1.0, torch.nan]] * 2)
    found = shares(count(classes, attributes, 3), smoothing=0, floor=0.2, min_support=5)
    torch.testing.assert_close(
        found.values, torch.tensor([[0.9, 0], [torch.nan] * 2, [torch.nan] * 2], dtype=torch.float64), equal_nan=True
    )
    assert found.support.tolist() == [[10, 10], [2, 0], [0, 0]]
    assert found.low[1, 0] > 0
    assert found.low[2].isnan().all()


def test_shares_of_one_of_several_sum_to_one():
    attributes = torch.eye(3)[torch.tensor([0, 0, 0, 0, 0, 0, 0, 1, 1, 2])]
    found = shares(count(torch.zeros(10, dtype=torch.long), attributes, 1), exclusive=True, floor=0.2)
    torch.testing.assert_close(found.values, torch.tensor([[8 / 11, 3 / 11, 0]], dtype=torch.float64))


def test_means_of_numbers_and_their_intervals():
    numbers = torch.tensor([[1.0], [2.0], [4.0], [torch.nan], [9.0]])
    found = means(count(torch.tensor([0, 0, 0, 0, 1]), numbers, 2), min_support=2)
    assert found.values[0, 0] == pytest.approx(7 / 3)
    half = 1.959964 * float(torch.tensor([1.0, 2, 4]).std()) / 3**0.5
    assert float(found.high[0, 0]) == pytest.approx(7 / 3 + half, rel=1e-5)
    assert found.values[1].isnan().all()


def written(folder: Path) -> Path:
    cells = [("happy", "smile;teeth", "0.9;0.1"), ("happy", "smile;?teeth", "0.7;"), ("sad", "-", "-0.5;0.2")]
    cells += [("sad", "teeth", ""), ("", "smile", "0;0"), ("happy", "", "0.5;0.5")]
    rows = [
        {"image": f"{i}.png", "split": "train", "mood": mood, "face": face, "va": va}
        for i, (mood, face, va) in enumerate(cells)
    ]
    rows.append({"image": "test.png", "split": "test", "mood": "sad", "face": "smile", "va": "1;1"})
    return write_table(Table(folder / "data.csv", ("image", "split", "mood", "face", "va"), rows)).path


def test_the_command_counts_training_rows_with_both_labels(tmp_path, capsys):
    table, out = written(tmp_path), tmp_path / "r.csv"
    typed = ["relate", str(table), "--of", "mood", "--to", "face", "--out", str(out)]
    assert main([*typed, "--min-support", "1", "--smoothing", "0"]) == 0
    assert "2 classes, 2 attributes, from 4 rows" in capsys.readouterr().out
    found = read_relatedness(out).aligned(["happy", "sad"], ["smile", "teeth"])
    assert found.values.tolist() == [[1, 1], [0, 0.5]]
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    lines = (tmp_path / "r_support.csv").read_text().splitlines()
    assert lines[0] == "class,attribute,value,low,high,support"
    assert lines[2].startswith("happy,teeth,1,")
    assert lines[2].endswith(",1")
    assert main(typed) == 2  # nothing is written over
    assert f"{out} is there already: give another, or --overwrite" in capsys.readouterr().err
    assert main([*typed, "--overwrite"]) == 0
    assert read_relatedness(out).values.isnan().all()
    assert "4 cells unknown (fewer than 5 samples)" in capsys.readouterr().out


def test_the_command_counts_means_and_takes_names_from_a_recipe(tmp_path):
    table, out = written(tmp_path), tmp_path / "means.csv"
    (tmp_path / "recipe.yaml").write_text(
        f"data: {{table: {table}}}\ntasks:\n  mood: {{kind: category, classes: [sad, happy]}}\n"
        "  va: {kind: scalars, names: [valence, arousal]}\n"
    )
    typed = ["relate", str(table), "--of", "mood", "--to", "va", "--out", str(out)]
    assert main([*typed, "--recipe", str(tmp_path / "recipe.yaml"), "--min-support", "2"]) == 0
    found = read_relatedness(out, probabilities=False).aligned(["happy", "sad"], ["valence", "arousal"])
    torch.testing.assert_close(
        found.values, torch.tensor([[0.7, 0.3], [torch.nan] * 2], dtype=torch.float64), equal_nan=True
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--of", "moods", "--to", "face"], "no column 'moods': did you mean 'mood'"),
        (["--of", "face", "--to", "mood"], "not of face (tags) to mood (category)"),
        (["--of", "mood", "--to", "split"], "'split' is no task of categories"),
        (["--of", "mood", "--to", "face", "--floor", "2"], "--floor: found 2.0: give at least 0 and at most 1"),
        (["--of", "mood", "--to", "face", "--min-support", "0"], "--min-support: found 0: give at least 1"),
        (
            ["--of", "mood", "--to", "face", "--min-support", "99999999999"],
            "--min-support: found 99999999999: give at least 1 and at most 1,000,000,000",
        ),
    ],
)
def test_what_cannot_be_counted_is_one_line(tmp_path, capsys, typed, message):
    assert main(["relate", str(written(tmp_path)), *typed, "--out", str(tmp_path / "r.csv")]) == 2
    assert message in capsys.readouterr().err


def test_folders_are_made_and_the_table_is_not_written_over(tmp_path, capsys):
    table = written(tmp_path)
    before = table.read_bytes()
    typed = ["relate", str(table), "--of", "mood", "--to", "face", "--overwrite", "--out"]
    assert main([*typed, str(tmp_path / "new" / "er" / "r.csv")]) == 0
    said = capsys.readouterr().out
    for name in ("r.csv", "r.png", "r_support.csv"):
        assert (tmp_path / "new" / "er" / name).is_file()
        assert str(tmp_path / "new" / "er" / name) in said.replace("\n", "")
    assert main([*typed, str(table)]) == 2
    assert "would write over the table" in capsys.readouterr().err
    assert table.read_bytes() == before


@pytest.mark.parametrize("name", ["r.png", "r"])
def test_the_table_does_not_take_the_place_of_its_picture(tmp_path, capsys, name):
    typed = ["relate", str(written(tmp_path)), "--of", "mood", "--to", "face", "--out", str(tmp_path / name)]
    assert main(typed) == 2
    assert "give a path that ends in .csv" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_between_two_categories_rows_sum_to_one(tmp_path):
    rows = [{"image": str(i), "x": "0", "y": str(i % 2)} for i in range(9)] + [{"image": "z", "x": "1", "y": "2"}]
    tasks = [KINDS["category"](name, classes=3) for name in ("x", "y")]
    found = infer(Table(tmp_path / "t.csv", ("image", "x", "y"), rows), *tasks).table
    expected = torch.tensor([[6 / 12, 5 / 12, 1 / 12], [torch.nan] * 3, [torch.nan] * 3], dtype=torch.float64)
    torch.testing.assert_close(found.values, expected, equal_nan=True)
    assert found.require_shares() is found


def test_a_floor_that_leaves_nothing_of_a_class_is_refused(tmp_path):
    rows = [{"image": str(i), "x": "a", "y": "abc"[i % 3]} for i in range(9)]
    tasks = [KINDS["category"](name, classes=[*"abc"]) for name in ("x", "y")]
    table = Table(tmp_path / "t.csv", ("image", "x", "y"), rows)
    with pytest.raises(RecipeError, match=r"--floor 0\.5: nothing of class 'a' is left: lower it"):
        infer(table, *tasks, RelateOptions(floor=0.5))
    assert infer(table, *tasks, RelateOptions(floor=0.3)).table.values[0].tolist() == pytest.approx([1 / 3] * 3)


def test_nothing_annotated_for_both_is_an_error(tmp_path):
    rows = [{"image": "a", "x": "1", "y": ""}, {"image": "b", "x": "", "y": "2"}]
    table = Table(tmp_path / "t.csv", ("image", "x", "y"), rows)
    tasks = [KINDS["category"](name, classes=3) for name in ("x", "y")]
    with pytest.raises(DataError, match="no row has a label of both x and y"):
        infer(table, *tasks)
    with pytest.raises(RecipeError, match="not of x"):
        infer(table, tasks[0], KINDS["depth"]("y"))
    with pytest.raises(DataError, match="row 'a', column x"):
        infer(Table(tmp_path / "t.csv", ("image", "x", "y"), [{"image": "a", "x": "7", "y": "1"}]), *tasks, PLAIN)


def test_what_a_network_made_is_no_evidence(tmp_path):
    rows = [{"image": str(i), "x": "0", "y": str(i % 2), "y.source": "teacher" if i % 2 else ""} for i in range(6)]
    tasks = [KINDS["category"](name, classes=2) for name in ("x", "y")]
    found = infer(Table(tmp_path / "t.csv", ("image", "x", "y", "y.source"), rows), *tasks, PLAIN)
    assert found.samples == 3
    assert found.table.values[0].tolist() == [1, 0]


def test_classes_that_only_other_splits_have_are_unknown_not_missing(tmp_path):
    """``crosstask start`` lists the classes of all rows, and a recipe of it takes the table that relate wrote."""
    table = read_table(written(tmp_path))
    rows = [*table.rows, {"image": "late.png", "split": "test", "mood": "calm", "face": "frown", "va": ""}]
    path = write_table(Table(tmp_path / "more.csv", table.columns, rows)).path
    typed = [
        "relate",
        str(path),
        "--of",
        "mood",
        "--to",
        "face",
        "--out",
        str(tmp_path / "r.csv"),
        "--min-support",
        "1",
    ]
    assert main([*typed, "--smoothing", "0"]) == 0
    found = read_relatedness(tmp_path / "r.csv").aligned(["happy", "sad", "calm"], ["smile", "teeth", "frown"])
    assert found.values[:2, :2].tolist() == [[1, 1], [0, 0.5]]
    assert found.values[2].isnan().all()
