"""YAML as people mean it."""

from __future__ import annotations

import pytest

from crosstask.strict_yaml import MOST_CHARACTERS, Typed, parse_yaml

PLAIN = """
a: 1
b: no
c: 007
d: 1e-3
e: 1:30
f: 2020-01-01
g:
h: [true, on, "1", 'x', .5, -2, ~]
3: {i: &ref {j: 1}}
k: {<<: *ref, l: 2}
"""


def test_words_stay_words_and_numbers_are_numbers():
    assert parse_yaml(PLAIN) == {
        "a": 1, "b": "no", "c": "007", "d": 0.001, "e": "1:30", "f": "2020-01-01", "g": None,
        "h": [True, "on", "1", "x", 0.5, -2, None], 3: {"i": {"j": 1}}, "k": {"j": 1, "l": 2},
    }  # fmt: skip
    assert parse_yaml("") is None
    assert parse_yaml("2.5") == 2.5


def test_a_number_remembers_how_it_was_written():
    value = parse_yaml("2.10")
    assert isinstance(value, Typed)
    assert (value, value.text) == (2.1, "2.10")
    assert type(parse_yaml("2.1")) is float


MERGES = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
LISTS = "a: &a [1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
REFUSED = {
    "a: 1\nb: 2\na: 3": r"key 'a' is there twice \(lines 1 and 3\)",
    "a: {b: [1, .nan]}": r"a\.b\[1\]: found nan: a number must be finite",
    "a: -.inf": r"a: found -inf",
    "a: 1e999": r"a: found inf",
    "a: 99999999999999999999": r"a: found a whole number of 67 bits",
    "a: " + "9" * 5000: r"a number of 5000 digits",
    "a: !!python/object/apply:os.system [true]": "could not determine a constructor",
    "a: !!set {b, c}": "a: expected text, numbers, lists or mappings",
    "[1]: 2": "a key is a word",
    "~: 2": "a key is text or a number",
    "a: &a [*a]": "inside each other",
    "[" * 3000 + "]" * 3000: "inside each other",
    MERGES: "more than 100,000 values",
    LISTS: "more than 100,000 values",
    "a: [1": "expected",
    "'" + "a" * MOST_CHARACTERS: "characters",
    "a: !!float abc": "could not convert",
    "--- 1\n--- 2": "single document",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_nobody_means_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=REFUSED[text]) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
