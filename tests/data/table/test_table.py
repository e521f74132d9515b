"""Tables: what is read is what was written, paths keep their meaning, and bad tables get one clear line."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

from crosstask.data.table.table import Table, concatenate, read_table, write_table
from crosstask.errors import DataError
from crosstask.tasks.cells import value_of

FORMATS = ["csv", "jsonl", "parquet"]


def table_of(path: Path, *rows: dict[str, str]) -> Table:
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Table(path, columns, [{column: row.get(column, "") for column in columns} for row in rows])


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_written_is_read(tmp_path, ending):
    table = table_of(
        tmp_path / "any.csv",
        {"image": "ä ö/bild 1.jpg", "split": "train", "tags": 'cat;"sofa", red', "scalars": "0.3;;-0.1"},
        {"image": "b.png", "split": "test", "tags": "-", "depth": "d/b.png"},
        {"image": "画像.png", "scalars": "1"},
    )
    path = tmp_path / f"table.{ending}"
    assert write_table(table, path).rows == table.rows
    again = read_table(path)
    assert again.rows == table.rows
    assert again.columns == table.columns
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_csv_as_spreadsheets_save_it(tmp_path):
    path = written(tmp_path / "t.csv", b"\xef\xbb\xbfimage, depth ,\r\n\r\na.jpg\r\n b.jpg ,x.png\r\n,,\r\n")
    table = read_table(path)
    assert table.columns == ("id", "image", "depth")
    assert [(row["image"], row["depth"]) for row in table.rows] == [("a.jpg", ""), ("b.jpg", "x.png")]


def test_jsonl_values_stay_what_they_are(tmp_path):
    lines = [
        {"image": "a.jpg", "tags": ["cat", "sofa"], "scalars": [0.5, None, -1], "category": 3.0},
        {"image": "b.jpg", "tags": None, "scalars": float("nan"), "category": True},
    ]
    path = written(tmp_path / "t.jsonl", "\n\n".join(map(json.dumps, lines)))
    first, second = read_table(path).rows
    assert (first["tags"], first["scalars"], first["category"]) == ("cat;sofa", "[0.5, null, -1]", "3")
    assert (second["tags"], second["scalars"], second["category"]) == ("", "", "true")
    values = [value_of(first[name]) for name in ("tags", "scalars", "category")] + [value_of(second["category"])]
    assert values == [["cat", "sofa"], [0.5, None, -1], 3.0, True]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_typed_values_survive_every_kind_of_table(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    values = [[1, 0, None], {"dog": 1}, ["a", "b"], [True, False], [0.5]]
    rows = "".join(json.dumps({"image": f"{i}.jpg", "tags": value}) + "\n" for i, value in enumerate(values))
    table = write_table(read_table(written(tmp_path / "given.jsonl", rows)), tmp_path / name)
    again = read_table(table.path)
    plain = [value_of(row["tags"]) for row in again.rows]
    assert [each.split(";") if isinstance(each, str) else each for each in plain] == values
    assert pickle.loads(pickle.dumps(again)).rows == again.rows


def test_parquet_values_stay_what_they_are_and_its_folder_is_no_column(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    folder = tmp_path / "split=train"
    folder.mkdir()
    content = arrow.table({"image": ["a.jpg", "b.jpg"], "tags": [["x", "y"], None], "category": [1.0, None]})
    arrow.parquet.write_table(content, folder / "t.parquet")
    table = read_table(folder / "t.parquet")
    assert table.columns == ("id", "image", "tags", "category")
    assert [row["tags"] for row in table.rows] == ["x;y", ""]
    assert [row["category"] for row in table.rows] == ["1", ""]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'crosstask\[parquet\]'"):
        read_table(written(tmp_path / "t.parquet", b"PAR1"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", "", ["empty", "one row per image"]),
        ("only_header.csv", "image,depth\n", ["empty"]),
        ("no_image.csv", "picture,depth\na.jpg,b.png\n", ["'image'", "picture, depth"]),
        ("twice.csv", "image,depth,depth\na.jpg,,\n", ["column 'depth'", "twice"]),
        ("unnamed.csv", "image,,depth\na.jpg,,\n", ["column 2 has no name"]),
        ("same_id.csv", "image,id\na.jpg,x\nb.jpg,y\nc.jpg,x\n", ["row 4", "id 'x'", "row 2"]),
        ("same_image.csv", "image,depth\na.jpg,1.png\na.jpg,2.png\n", ["row 3", "id 'a.jpg'", "row 2", "merge"]),
        ("blank_image.csv", "image,depth\na.jpg,\n,d.png\n", ["row 3", "image is blank"]),
        (
            "too_many.csv",
            "image,tags\na.jpg,cat\nb.jpg,cat,sofa\n",
            ["row 3", "3 cells for 2 columns", "'sofa'", "quotes"],
        ),
        ("latin.csv", "image\nbä.jpg\n".encode("latin-1"), ["line 2", "0xe4", "UTF-8"]),
        ("utf16.csv", "image\na.jpg\n".encode("utf-16-le"), ["NUL", "UTF-8"]),
        ("nul.csv", b"image\na.jpg\nb\0.jpg\n", ["line 3", "NUL"]),
        ("quote.csv", 'image,depth\n"a.jpg,b.png\n', ["not a valid CSV"]),
        ("empty.jsonl", "\n", ["empty"]),
        ("broken.jsonl", '{"image": "a.jpg"}\n{"image": \n', ["row 2", "not a valid JSON line"]),
        ("list.jsonl", '["a.jpg"]\n', ["row 1", "one object per line"]),
        ("key_twice.jsonl", '{"image": "a.jpg", "image": "b.jpg"}\n', ["row 1", "'image' is there twice"]),
        ("broken.parquet", b"PAR1 no", ["not a valid Parquet file"]),
        ("table.xlsx", "image", ["'.xlsx'", ".csv, .jsonl, .parquet"]),
        ("table", "image", ["without an ending"]),
        ("tabel.jsnl", "image", ["did you mean '.jsonl'?"]),
    ],
)
def test_bad_tables_get_one_line(tmp_path, name, content, words):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    message = complaint(written(tmp_path / name, content))
    for word in words:
        assert word in message


def test_missing_table(tmp_path):
    assert "No such file" in complaint(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in complaint(tmp_path / "folder.csv")


def test_ids_are_stems_or_else_paths(tmp_path):
    rows = [{"image": "a/1.jpg"}, {"image": "b/1.jpg"}, {"image": "b/2.jpg"}, {"image": "b/3.jpg", "id": "three"}]
    table = table_of(tmp_path / "t.csv", *rows)
    assert table.ids == ["a/1.jpg", "b/1.jpg", "2", "three"]
    assert table_of(tmp_path / "t.csv", *rows[:1]).ids == ["1"]
    assert table.only({"b/1.jpg", "2"}).ids == ["b/1.jpg", "2"]  # fewer rows, the same ids


def test_select_splits(tmp_path):
    table = table_of(
        tmp_path / "t.csv", {"image": "a", "split": "train"}, {"image": "b", "split": "test"}, {"image": "c"}
    )
    assert table.splits == ["train", "test"]
    assert table.select("train").ids == ["a"]
    assert table.select(None) is table
    with pytest.raises(DataError, match=r"no row of split 'tets': did you mean 'test'\?"):
        table.select("tets")
    with pytest.raises(DataError, match="the table has no column 'split'"):
        table_of(tmp_path / "t.csv", {"image": "a"}).select("train")


def test_coverage_and_masking(tmp_path):
    table = table_of(
        tmp_path / "t.csv",
        {"image": "a", "depth": "a.png", "depth.weight": "0.5", "tags": "-"},
        {"image": "b", "depth": "b.png", "depth.weight": "0.5", "tags": ""},
    )
    tasks = ["tags", "depth", "absent"]
    assert table.coverage(tasks).tolist() == [[True, True, False], [False, True, False]]
    keep = torch.tensor([[True, False, False], [True, True, True]])
    masked = table.masked(tasks, keep)
    assert masked.coverage(tasks).tolist() == [[True, False, False], [False, True, False]]
    assert [row["depth.weight"] for row in masked.rows] == ["", "0.5"]
    assert table.coverage(["depth"]).all()


def test_paths_are_resolved_against_the_table_and_can_be_confined(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    outside = tmp_path / "outside.png"
    outside.touch()
    (folder / "link.png").symlink_to(outside)
    cells = ["in/side.png", "in/../side.png", "../outside.png", str(outside), "link.png", "..hidden.png"]
    table = table_of(folder / "t.csv", *({"image": f"{i}", "depth": cell} for i, cell in enumerate(cells)))
    assert table.resolve(0, "depth") == folder / "in/side.png"
    assert table.resolve(2, "depth") == table.resolve(3, "depth") == outside
    assert [table.resolve(row, "depth", confined=True) for row in (0, 1, 5)] == [
        folder / "in/side.png",
        folder / "side.png",
        folder / "..hidden.png",
    ]
    for row in (2, 3, 4):
        with pytest.raises(
            DataError, match=rf"row '{row}', column depth: .* leads out of the table's folder"
        ) as caught:
            table.resolve(row, "depth", confined=True)
        assert cells[row] in str(caught.value)


def test_relative_tables_resolve_to_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = table_of(Path("t.csv"), {"image": "rgb/a.jpg"})
    assert table.resolve(0, "image", confined=True) == tmp_path / "rgb/a.jpg"


def test_paths_are_rebased_when_a_table_is_written_elsewhere(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "b.png").touch()
    table = table_of(
        folder / "t.csv",
        {"image": "a.jpg", "depth": "", "category": "cat", "regions": ""},
        {"image": "/abs/b.jpg", "depth": "b.png", "category": "b.c", "regions": "r.png"},
    )
    moved = write_table(table, tmp_path / "other" / "t.csv")
    first, second = read_table(moved.path).rows
    assert first == {"id": "a", "image": "../set/a.jpg", "depth": "", "category": "cat", "regions": ""}
    assert second["image"] == "/abs/b.jpg"
    assert second["depth"] == "../set/b.png"
    assert second["regions"] == "../set/r.png"
    assert second["category"] == "b.c"
    assert [moved.resolve(i, "image") for i in range(2)] == [table.resolve(i, "image") for i in range(2)]


def test_concatenation(tmp_path):
    one = table_of(tmp_path / "one" / "t.csv", {"image": "1.jpg", "depth": "d"}, {"image": "2.jpg", "depth": ""})
    two = table_of(tmp_path / "two" / "t.csv", {"image": "1.jpg", "tags": "cat"})
    both = concatenate([one, two], tmp_path / "both.csv")
    assert both.columns == ("id", "image", "depth", "tags")
    assert both.ids == ["one/1.jpg", "2", "two/1.jpg"]
    assert [row["tags"] for row in both.rows] == ["", "", "cat"]
    assert both.resolve(2, "image") == two.resolve(0, "image")
    with pytest.raises(DataError, match=r"id 'one/1\.jpg'"):
        concatenate([one, one], tmp_path / "both.csv")


def test_failed_writes_leave_the_old_table(tmp_path, monkeypatch):
    table = table_of(tmp_path / "t.csv", {"image": "a"})
    write_table(table)
    before = table.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match=r"t\.csv: cannot write the table \(No space left on device\)"):
        write_table(table_of(tmp_path / "t.csv", {"image": "b"}))
    assert table.path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
