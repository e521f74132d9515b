from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.errors import DataError
from crosstask.relatedness import Relatedness, read_relatedness, shipped_tables, write_relatedness
from crosstask.rooms.vocabulary import OBJECTS, RELATEDNESS, TYPES
from tests.shared import shared

CSV = "class,AU1,AU6,AU12\nhappiness,0,0.51,1\ncontempt,,,\nfear,1,0,0\n"
YAML = "happiness: {AU6: 0.51, AU12: 1}\nfear: {AU1: 1}\ncontempt: null\n"


@pytest.mark.parametrize(("name", "text"), [("r.csv", CSV), ("r.yaml", YAML)])
def test_a_table_says_related_not_related_and_unknown(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    table = read_relatedness(tmp_path / name).aligned(["fear", "contempt", "happiness"], ["AU12", "AU6", "AU1"])
    expected = torch.tensor([[0, 0, 1], [torch.nan] * 3, [1, 0.51, 0]], dtype=torch.float64)
    torch.testing.assert_close(table.values, expected, equal_nan=True)
    write_relatedness(table, tmp_path / "again.csv")
    again = read_relatedness(tmp_path / "again.csv")
    assert (again.classes, again.attributes) == (table.classes, table.attributes)
    torch.testing.assert_close(again.values, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.csv", "class,a,b\nx,0.1,1.2\n", "row 'x', column 'b': 1.2 is not in \\[0, 1\\]"),
        ("r.csv", "class,a,b\nx,0.1,-1\n", "row 'x', column 'b': -1 is not in \\[0, 1\\]"),
        ("r.csv", "class,a,b\nx,0.1,inf\n", "row 'x', column 'b': 'inf' is not a number: write one"),
        ("r.csv", "class,a,b\nx,0.1,high\n", "row 'x', column 'b': 'high' is not a number"),
        ("r.csv", "class,a,b\nx,0,1\nx,1,0\n", "row 'x' is there twice"),
        ("r.csv", "class,a,a\nx,0,1\n", "column 'a' is there twice"),
        ("r.csv", "class,a\n,1\n", "row 2: the name of the class is blank"),
        ("r.csv", "class\nx\n", "needs the classes in its first column"),
        ("r.csv", ",a\nx,1\n", "column 1 has no name"),
        ("r.yaml", "x: {a: 1}\nx: {a: 0}\n", "'x' is there twice"),
        ("r.yaml", "x: {a: 1, a: 0}\n", "'a' is there twice"),
        ("r.yaml", "x: {a: 2}\n", "row 'x', column 'a': 2 is not in"),
        ("r.yaml", "- x\n", "write each class as"),
        ("r.yaml", "x: null\n", "no attribute is named"),
        ("r.yaml", "x: {a: [\n", "cannot be read as YAML"),
        ("r.txt", "x", "no kind of table"),
    ],
)
def test_a_bad_table_is_one_clear_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_relatedness(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_names_are_checked_against_the_tasks(tmp_path):
    (tmp_path / "r.csv").write_text(CSV)
    table = read_relatedness(tmp_path / "r.csv")
    with pytest.raises(DataError, match="no row for the class 'happines' \\(did you mean 'happiness'"):
        table.aligned(["fear", "happines"], ["AU1"])
    with pytest.raises(DataError, match="no column for the attribute 'AU2'"):
        table.aligned(["fear"], ["AU2"])
    with pytest.raises(
        DataError, match=r"there is no table of relatedness 'du2014_basics'.* did you mean 'du2014_basic'"
    ):
        read_relatedness("du2014_basics")


def test_shares_of_one_of_several_sum_to_one():
    table = Relatedness("r", ("x", "y"), ("a", "b"), torch.tensor([[0.3, 0.7], [torch.nan, torch.nan]]))
    assert table.require_shares() is table
    for row, message in (([0.3, 0.3], "sums to 0.6"), ([0.3, torch.nan], "holds unknown cells")):
        with pytest.raises(DataError, match=f"row 'x': {message}"):
            Relatedness("r", ("x",), ("a", "b"), torch.tensor([row])).require_shares()


def test_the_emotions_are_those_of_du_tao_and_martinez():
    assert {"du2014_basic", "du2014_compound", "rooms"} <= set(shipped_tables())
    basic, compound = read_relatedness("du2014_basic"), read_relatedness("du2014_compound")
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        emotions, units = given["emotions"].tolist(), [f"AU{number}" for number in given["au_ids"]]
        expected, binary = torch.from_numpy(given["R_weighted"]), torch.from_numpy(given["R_binary"])
    torch.testing.assert_close(basic.aligned(emotions, units).values, expected)
    torch.testing.assert_close(basic.aligned(emotions, units).binary(1e-6).values, binary)
    assert basic.binary(1).values.sum() == 18  # the prototypical units alone
    assert compound.values.shape == (15, 17)
    assert not (basic.values[0]).any()
    hatred = compound.aligned(["hatred"], ["AU4", "AU10", "AU7", "AU9", "AU17", "AU24"]).values[0].tolist()
    assert hatred == [1, 1, 0.57, 0.27, 0.63, 0.37]


def test_the_table_of_the_rooms_is_that_of_their_vocabulary():
    table = read_relatedness("rooms").aligned(TYPES, OBJECTS)
    np.testing.assert_allclose(table.values.numpy(), RELATEDNESS)
