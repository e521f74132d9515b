"""Names of classes and tags."""

from __future__ import annotations

import time

import pytest

from crosstask.tasks.names import class_names


def test_as_many_names_as_a_recipe_can_have_are_compared_in_no_time():
    start = time.perf_counter()
    assert class_names(65536)[-1] == "65535"
    assert time.perf_counter() - start < 5  # minutes, were each compared with each


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "give at least one"),
        (["b", "a", "b", "a"], "names a, b more than once"),
        ("floor", "a list of names, .floor."),
    ],
)
def test_what_are_no_names(names, message):
    with pytest.raises(ValueError, match=message):
        class_names(names)
