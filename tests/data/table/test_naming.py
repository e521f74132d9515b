from pathlib import Path

import pytest

from crosstask.data.table.matching import Files
from crosstask.data.table.naming import images_by_name, match_entries, naming_column
from crosstask.errors import DataError


def images(folder: Path, *names: str, pattern: str = "img/*.jpg") -> Files:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Files.find(folder, "image", pattern)


def numbered(folder: Path, count: int) -> Files:
    return images(folder, *(f"img/{number}.jpg" for number in range(count)))


@pytest.mark.parametrize("name", ["a/img/1.jpg", "a/img/1", "a/1", "img/1.jpg", "img/1", "1.jpg", "1"])
def test_an_image_is_called_by_the_end_of_its_path_or_what_wildcards_stand_for(tmp_path, name):
    found = images(tmp_path, "a/img/1.jpg", "b/img/2.jpg", pattern="*/img/*.jpg")
    assert images_by_name(found)[name] == "a/img/1.jpg"
    assert match_entries("kind", found, {name: "cat", "9": "dog"}) == (["cat", ""], ["9"])


def test_a_name_of_several_images_is_that_of_none_unless_it_is_a_path(tmp_path):
    found = images(tmp_path, "1.jpg", "a/1.jpg", "a/2.jpg", pattern="**/*.jpg")
    known = images_by_name(found)
    assert known["1.jpg"] == "1.jpg"
    assert "1" not in known
    assert known["2"] == "a/2.jpg"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # a row number beside names of files
        ({"id": ["0", "1", "2", "3"], "image": ["3.jpg", "1.jpg", "0.jpg", "2.jpg"]}, "image"),
        ({"Unnamed: 0": ["0", "1", "2", "3"], "file": ["3.jpg", "1.jpg", "0.jpg", "2.jpg"]}, "file"),
        # a row number beside names without ending
        ({"id": ["0", "1", "2", "3"], "Image": ["3", "1", "0", "2"]}, "Image"),
        ({"id": ["10", "11", "12", "13"], "image_id": ["3", "1", "0", "2"]}, "image_id"),
        # several names of the same images
        ({"id": ["3", "1", "0", "2"], "path": ["img/3.jpg", "img/1.jpg", "img/0.jpg", "img/2.jpg"]}, "path"),
        # names of a part of the images
        ({"id": ["0", "1", "2", "3"], "mask": ["0.jpg", "", "2.jpg", ""]}, "id"),
        # numbers that are not meant for images, but some are as good as names
        ({"id": ["0", "1", "2", "3"], "person": ["1", "1", "0", "0"]}, "id"),
        ({"age": ["3", "70", "0", "20"], "name": ["3", "1", "0", "2"]}, "name"),
        # a pair of images
        ({"other": ["1.jpg", "0.jpg"], "image": ["0.jpg", "1.jpg"]}, "image"),
        # none
        ({"id": ["a", "b"], "kind": ["cat", "dog"]}, "id"),
    ],
)
def test_the_column_that_names_images(tmp_path, columns, expected):
    assert naming_column("l.csv", images_by_name(numbered(tmp_path, 4)), columns) == expected


@pytest.mark.parametrize(
    "columns",
    [
        {"id": ["0", "1", "2", "3"], "number": ["3", "1", "0", "2"]},
        {"left": ["0.jpg", "1.jpg"], "right": ["1.jpg", "0.jpg"], "number": ["1", "0"]},
        # one of the images that are named is not there
        {"row": [str(number) for number in range(20)], "number": [str(20 - number) for number in range(20)]},
    ],
)
def test_columns_that_name_different_images_are_an_error(tmp_path, columns):
    known = images_by_name(numbered(tmp_path, 20))
    first, second, *_ = columns
    with pytest.raises(DataError, match=f"l.csv: columns '{first}' and '{second}' name different images: call"):
        naming_column("l.csv", known, columns)
