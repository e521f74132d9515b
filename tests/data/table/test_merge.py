"""Tables of the same images joined."""

from pathlib import Path

import pytest

from crosstask.cli import main
from crosstask.data.table.merge import merge
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError


def table(path: Path, *rows: dict[str, str]) -> Table:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    for row in rows:
        for cell in row.values():
            if cell.endswith(".png"):
                (path.parent / cell).parent.mkdir(parents=True, exist_ok=True)
                (path.parent / cell).touch()
    return write_table(Table(path, columns, [dict(row) for row in rows]))


@pytest.fixture
def old(tmp_path):
    return table(
        tmp_path / "old" / "data.csv",
        {"image": "a.png", "id": "first", "split": "train", "depth": "depth/a.png", "tags": ""},
        {"image": "b.png", "id": "b", "split": "test", "depth": "", "tags": "cat"},
    )


def test_blank_cells_are_filled_for_the_same_image_with_weight_and_source(old, tmp_path):
    made = {"depth": "depth/b.png", "depth.weight": "w/b.png", "depth.source": "net"}
    new = table(tmp_path / "new" / "table.csv", {"image": "../old/b.png", "id": "other", **made}, {"image": "c.png"})
    merged = merge([old, new], tmp_path / "out.csv")
    a, b, c = merged.table.rows
    assert (a["id"], b["id"], c["id"]) == ("first", "b", "c")
    assert (a["depth"], a["depth.source"]) == ("old/depth/a.png", "")
    assert (b["depth"], b["depth.weight"], b["depth.source"]) == ("new/depth/b.png", "new/w/b.png", "net")
    assert (b["split"], b["tags"], c["image"]) == ("test", "cat", "new/c.png")
    assert (merged.added, merged.filled, merged.conflicts) == (1, {"depth": 1}, [])


def test_given_labels_beat_made_ones_whatever_the_order(old, tmp_path):
    made = table(
        tmp_path / "old" / "made.csv",
        {"image": "a.png", "depth": "depth/net.png", "depth.weight": "0.5", "depth.source": "net"},
    )
    for tables in ([old, made], [made, old]):
        row = next(r for r in merge(tables, tmp_path / "o.csv").table.rows if r["image"] == "old/a.png")
        assert (row["depth"], row["depth.weight"], row["depth.source"]) == ("old/depth/a.png", "", "")


def test_a_given_label_equal_to_a_made_one_is_given(tmp_path):
    made = {"place": "kitchen", "place.source": "round_1", "place.weight": "0.4"}
    made |= {"depth": "d/0.png", "depth.source": "round_1"}
    first = table(tmp_path / "made.csv", {"image": "0.png", **made})
    given = table(tmp_path / "given.csv", {"image": "0.png", "place": "kitchen", "depth": "./d/0.png"})
    for tables in ([first, given], [given, first]):
        merged = merge(tables, tmp_path / "out.csv")
        (row,) = merged.table.rows
        assert (row["place"], row["place.source"], row["place.weight"], row["depth.source"]) == ("kitchen", "", "", "")
        assert (merged.conflicts, merged.filled) == ([], {})


def test_conflicts_stop_with_a_line_each_or_follow_a_choice(old, tmp_path, capsys):
    other = table(
        tmp_path / "old" / "other.csv",
        {"image": "a.png", "depth": "depth/z.png", "tags": "dog"},
        {"image": "b.png", "depth": "", "tags": "dog"},
    )
    with pytest.raises(DataError) as stopped:
        merge([old, other], tmp_path / "out.csv")
    lines = str(stopped.value).splitlines()
    assert len(lines) == 3
    assert "column depth" in lines[0]
    assert "says dog" in lines[1]
    assert [r["tags"] for r in merge([old, other], tmp_path / "o.csv", "first").table.rows] == ["dog", "cat"]
    assert [r["tags"] for r in merge([old, other], tmp_path / "o.csv", "last").table.rows] == ["dog", "dog"]
    typed = ["merge", str(old.path), str(other.path), "--out", str(tmp_path / "cli.csv")]
    assert main(typed) == 2
    assert not (tmp_path / "cli.csv").exists()
    assert main([*typed, "--conflicts", "last"]) == 0
    assert read_table(tmp_path / "cli.csv").rows[1]["tags"] == "dog"
    assert capsys.readouterr().err.count("the last is taken") == 2
    assert main([*typed, "--conflicts", "last"]) == 2  # there already


def test_the_same_file_by_another_path_is_no_conflict(old, tmp_path):
    again = table(tmp_path / "again.csv", {"image": "old/a.png", "depth": "old/depth/a.png"})
    assert merge([old, again], tmp_path / "out.csv").conflicts == []


def test_an_image_in_two_rows_is_refused(old, tmp_path):
    twice = table(tmp_path / "old" / "two.csv", {"image": "a.png", "id": "x"}, {"image": "a.png", "id": "y"})
    with pytest.raises(DataError, match="'x' and 'y'"):
        merge([old, twice], tmp_path / "out.csv")
