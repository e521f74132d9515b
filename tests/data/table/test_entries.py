from pathlib import Path

import pytest

from crosstask.data.table.entries import read_entries
from crosstask.data.table.folders import make_table, table_from_folders
from crosstask.data.table.matching import Files
from crosstask.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images, 0 to 4."""
    (tmp_path / "img").mkdir()
    for number in range(5):
        (tmp_path / "img" / f"{number}.jpg").touch()
    return tmp_path


def read(folder: Path, name: str, text: str, columns: str = "") -> list[str]:
    """What the images are labelled with in a file that holds ``text``."""
    (folder / name).write_text(text, encoding="utf-8")
    patterns = {"image": "img/*.jpg", "kind": name + columns}
    return [row["kind"] for row in table_from_folders(folder, patterns).table.rows]


@pytest.mark.parametrize(
    "text",
    [
        "id,image,label\n0,3.jpg,c3\n1,1.jpg,c1\n2,0.jpg,c0\n3,2.jpg,c2\n",
        "Unnamed: 0,file,label\n0,img/3.jpg,c3\n1,img/1.jpg,c1\n2,img/0.jpg,c0\n3,img/2.jpg,c2\n",
        "image,label\n3.jpg,c3\n1.jpg,c1\n0.jpg,c0\n2.jpg,c2\n",
        "label,name\nc3,3\nc1,1\nc0,0\nc2,2\n",
        "label;id\nc3;3\nc1;1\nc0;0\nc2;2\n",
    ],
)
def test_labels_go_to_the_image_that_their_row_names(folder, text):
    assert read(folder, "l.csv", text, ":label") == ["c0", "c1", "c2", "c3", ""]


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_keys_of_json_are_names_with_or_without_ending(folder, start):
    text = start + '{"0.jpg": "c0", "1": "c1", "img/2.jpg": "c2", "img/3": NaN}'
    assert read(folder, "l.json", text) == ["c0", "c1", "c2", "", ""]


def test_columns_that_are_asked_for_do_not_name_images(folder):
    assert read(folder, "l.csv", "label,name\n0,3\n1,1\n2,0\n", ":label") == ["2", "1", "", "0", ""]


def test_columns_that_are_no_tags_are_left_out_and_told(folder):
    text = "image,split,age,dog,cat,size\n"
    text += "".join(f"{i},train,{20 + i},{i % 2},{'NA' if i == 2 else i // 2},big\n" for i in range(4))
    (folder / "l.csv").write_text(text)
    listing = make_table(folder, {"image": "img/*.jpg", "tags": "l.csv:*"}, folder / "t.csv")
    expected = ["size=big", "dog;size=big", "?cat;size=big", "dog;cat;size=big", ""]
    assert [row["tags"] for row in listing.table.rows] == expected
    told = (
        "tags: 4 of 5 images by column 'image'; columns left out: split (a meaning of its own), age (numbers); images"
    )
    assert told in str(listing)


def test_columns_of_numbers_are_tags_where_they_are_named(folder):
    assert read(folder, "l.csv", "id,legs,tail\n0,4,1\n1,2,0\n", ":legs,tail")[:2] == ["legs=4;tail", "legs=2"]


@pytest.mark.parametrize(
    ("name", "text", "columns", "message"),
    [
        ("l.json", '{"0": ["dog"], "1": [], "0": ["cat"]}', "", "key '0' is there twice"),
        ("l.csv", "id,file,kind\n0,1,a\n1,0,b\n", ":kind", "columns 'id' and 'file' name different images"),
        ("l.csv", "id,kind\n0,a\n", "", "is a table: name the column that is meant, l.csv:kind say"),
        ("l.csv", "id,dog,cat\n0,1.0,1\n1,-1.0,0\n2,0.0,1\n", ":*", "column dog holds -1, 0, 1"),
        (
            "l.csv",
            "id,age,legs\n0,20,4\n1,30,2\n2,40,4\n",
            ":*",
            r"no column of tags; columns left out: age \(numbers\), legs",
        ),
        ("l.csv", "file\n0.jpg\n", ":*", "no column of tags"),
        ("l.tsv", "id\tkind\n0\ta\n", ":kind", "'.tsv' is no kind of table: did you mean '.csv'"),
        ("l.json", "{}", ":kind", "'.json' is no kind of table"),
    ],
)
def test_what_is_wrong_with_a_file_of_labels_is_one_line(folder, name, text, columns, message):
    with pytest.raises(DataError, match=message) as raised:
        read(folder, name, text, columns)
    assert "\n" not in str(raised.value)


def test_blank_in_another_split_is_no_value(folder):
    (folder / "a.csv").write_text("id,dog,cat\n0,1,1\n2,1,0\n3,0,0\n")
    (folder / "b.csv").write_text("id,dog,cat\n1,NaN,0\n")
    images = Files.find(folder, "image", "img/*.jpg")
    assert read_entries(folder, "tags", "a.csv:*", images, others=["b.csv:*"]).cells == {
        "0": "dog;cat",
        "2": "dog",
        "3": "-",
    }
