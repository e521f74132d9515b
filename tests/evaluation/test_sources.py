from pathlib import Path

import pytest
from PIL import Image

from crosstask.errors import DataError, UserError
from crosstask.evaluation.sources import file_name, file_names, find_images, passed_over


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.PNG", "deep/a.jpg", "deep/ü x.png", ".hidden/c.jpg", "notes.txt"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"") if path.suffix == ".txt" else Image.new("RGB", (4, 3)).save(path)
    return tmp_path / "images"


def test_folder(folder):
    found = find_images([folder])
    assert list(found) == ["a", "b", "deep/a", "deep/ü x"]
    assert found["deep/a"] == folder / "deep/a.jpg"


def test_pattern_and_files_count_each_file_once(folder):
    found = find_images([folder / "a.jpg", f"{folder}/**/a.jpg", str(folder / "b.PNG")])
    assert list(found.values()) == [folder / "a.jpg", folder / "deep/a.jpg", folder / "b.PNG"]
    assert list(found) == ["a", "a.jpg", "b"]


def test_same_stem_keeps_the_ending(folder):
    Image.new("RGB", (4, 3)).save(folder / "a.png")
    assert list(find_images([folder]))[:2] == ["a", "a.png"]


def test_table(folder):
    table = folder.parent / "data.csv"
    table.write_text("id,image,depth\none,images/a.jpg,\n,images/deep/ü x.png,\n", "utf-8")
    found = find_images([table])
    assert list(found) == ["one", "ü x"]
    assert Path(found["ü x"]).resolve() == (folder / "deep/ü x.png").resolve()


@pytest.mark.parametrize("given", ["nowhere", "nowhere/*.jpg", "a.jpg"])
def test_nothing_there(folder, given):
    with pytest.raises(UserError, match="check the path"):
        find_images([folder / "deep/deeper" / given])


def test_no_images_and_no_table(tmp_path):
    with pytest.raises(UserError, match="no image found"):
        find_images([tmp_path])
    with pytest.raises(UserError, match="nothing: no image found"):
        find_images([])
    with pytest.raises(DataError, match="cannot read the table"):
        find_images([tmp_path / "none.csv"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b", "a/b"), ("../../etc/x", "etc/x"), ("/abs\\x", "abs/x"), ('a:<"|?*>\n', "a________"), ("..", "_")],
)
def test_file_names_stay_inside(name, expected):
    assert file_name(name) == expected


def test_file_names_differ():
    assert file_names(["a:", "a?", "A_"]) == {"a:": "a_", "a?": "a_-2", "A_": "A_-3"}


def test_images_of_kinds_that_are_not_read_are_counted(tmp_path):
    for name in ("a.heic", "b.HEIC", "c.dng", "notes.txt", "deep/d.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert passed_over([tmp_path]) == {".heic": 3, ".dng": 1}
    with pytest.raises(UserError, match=r"no image found but .*3 .heic"):
        find_images([tmp_path])
