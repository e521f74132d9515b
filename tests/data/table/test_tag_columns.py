import pytest

from crosstask.data.table.tag_columns import as_tags, no_tags, require_flags
from crosstask.errors import DataError


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("1", "0", "big"), "dog;size=big"),
        (("true", "NA", "small"), "dog;?cat;size=small"),
        (("NaN", "1.0", ""), "?dog;cat;?size=big;?size=small"),
        (("NA", "", "n/a"), ""),
    ],
)
def test_blanks_are_unknown(row, expected):
    values = {"dog": {"0", "1", "true"}, "cat": {"0", "1.0"}, "size": {"big", "small"}}
    assert as_tags(dict(zip(values, row, strict=True)), values) == expected


def test_an_image_of_which_all_is_known_to_be_absent_has_no_tags():
    assert as_tags({"dog": "0", "cat": "false"}, {"dog": {"0", "1"}, "cat": {"false"}}) == "-"


@pytest.mark.parametrize(
    ("seen", "shown"),
    [({"-1", "1"}, "-1, 1"), ({"-1.0", "0.0", "1.0"}, "-1, 0, 1"), ({"-1", "0"}, "-1, 0"), ({"-1"}, "-1")],
)
def test_minus_one_beside_flags_is_refused(seen, shown):
    with pytest.raises(DataError, match=f"l.csv: column dog holds {shown}: whether -1 is absent or unknown"):
        require_flags("l.csv", {"cat": {"0", "1"}, "dog": seen})


def test_minus_one_among_other_numbers_is_one():
    require_flags("l.csv", {"degrees": {"-1", "0", "12"}, "kind": {"-1", "cat"}})


def test_columns_that_are_no_tags():
    values = {
        "split": {"train", "test"},
        "age": {"20", "21.5"},
        "dog.weight": {"1"},
        "file": {"1.jpg", "2.jpg"},
        "dog": {"0", "1"},
        "tame": {"True", "False"},
        "kind": {"2", "cat"},
        "blank": set(),
    }
    assert no_tags(values, {"0", "1", "1.jpg", "2.jpg"}) == {
        "split": "a meaning of its own",
        "age": "numbers",
        "dog.weight": "a meaning of its own",
        "file": "names of images",
    }
