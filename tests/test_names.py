"""Names that become parts of paths."""

from __future__ import annotations

import pytest

from crosstask.names import LONGEST, require_different, require_name


@pytest.mark.parametrize("name", ["depth", "surface normals", "Tiefe_2", "深度", "a.b", "x-1", "set (A), 1=2", 7])
def test_names(name):
    assert require_name(name, "tasks") == str(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", ".", "../x", "a/b", "a\\b", "/tmp/x", ".hidden", "a.", "a ", " a", "a\nb", "a\0", "a:b", "C:",
     "con", "NUL.txt", "com¹", "a" * (LONGEST + 1), None, True, ["a"], "-a", "a;b", "a*", "\u202ea"],
)  # fmt: skip
def test_no_names(name):
    with pytest.raises(ValueError, match=r"^tasks\.x: .* is no name of a task"):
        require_name(name, "tasks.x", "name of a task")


def test_names_that_some_systems_take_for_one():
    require_different(["a", "b"], "tasks")
    for one, other in (("Depth", "depth"), ("\u00e9", "e\u0301")):
        with pytest.raises(ValueError, match=f"tasks: {one!r} and {other!r}"):
            require_different([one, other], "tasks")
