from __future__ import annotations

from dataclasses import dataclass

import pytest

from crosstask.construct import construct, look_up, resolve
from crosstask.errors import RecipeError
from crosstask.objectives.base import Objective


@dataclass
class Inner:
    """
    Args:
        depth: how deep.
    """

    depth: int = 1

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise ValueError(f"depth must not be negative, found {self.depth}")


@dataclass
class Thing:
    """
    Args:
        name: given by code.
        size: two numbers.
        rate: a rate.
        mode: how.
        inner: more.
    """

    name: str
    size: tuple[int, int]
    rate: float = 0.5
    mode: str = "a"
    inner: Inner | None = None

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError(f"rate must not be negative, found {self.rate}")


def test_defaults_are_filled_in_and_resolving_twice_changes_nothing():
    once = resolve(Thing, {"size": [1, 2]}, "thing", {"name": None})
    assert once == {"size": [1, 2], "rate": 0.5, "mode": "a", "inner": None}
    assert resolve(Thing, once, "thing", {"name": None}) == once


def test_nested_dataclasses_are_built():
    thing = construct(Thing, {"size": [1, 2], "inner": {"depth": 3}}, "thing", name="n")
    assert thing == Thing("n", (1, 2), inner=Inner(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": [1, 2], "raet": 1}, r"thing\.raet: no such option \(found 1\); did you mean 'rate'"),
        ({"size": [1, 2], "rate": "fast"}, r"thing\.rate: expected a number, found 'fast'"),
        ({"size": [1, 2], "rate": None}, r"thing\.rate: found null"),
        ({"size": [1.5, 2]}, r"thing\.size: expected .*whole number.*found \[1\.5, 2\]"),
        ({}, r"thing\.size: missing"),
        ({"size": [1, 2], "rate": -1.0}, r"thing\.rate must not be negative, found -1"),
        ("text", r"thing: expected options .*found 'text'"),
        ({"size": [1, 2], "name": "x"}, r"thing\.name: no such option"),
        ({"size": [1, 2], "inner": {"dept": 1}}, r"thing.*inner.*dept"),
    ],
)
def test_what_is_wrong_is_one_line_naming_the_key(options, message):
    with pytest.raises(RecipeError, match=message) as caught:
        construct(Thing, options, "thing", name="n")
    assert "\n" not in str(caught.value)


def test_what_a_nested_dataclass_refuses_is_one_line_too():
    class Outer:
        def __init__(self, inner: Inner = Inner()) -> None:
            """
            Args:
                inner: more.
            """
            self.inner = inner

    assert construct(Outer, {"inner": {"depth": 2}}, "outer").inner == Inner(2)
    with pytest.raises(RecipeError, match=r"^outer.inner.depth must not be negative, found -1$"):
        construct(Outer, {"inner": {"depth": -1}}, "outer")


def test_look_up_by_name_or_class_path():
    assert look_up({"thing": Thing}, {"kind": "thing", "rate": 1}, "tasks.x") == (Thing, {"rate": 1})
    cls, options = look_up(
        {}, {"class_path": "fractions.Fraction", "init_args": {"numerator": 1}}, "tasks.x", trust=True
    )
    assert (cls.__name__, options) == ("Fraction", {"numerator": 1})
    with pytest.raises(RecipeError, match=r"tasks\.x\.kind: there is no 'thin'; did you mean 'thing'"):
        look_up({"thing": Thing}, {"kind": "thin"}, "tasks.x")
    with pytest.raises(RecipeError, match=r"tasks\.x\.class_path: .* --trust"):
        look_up({}, {"class_path": "fractions.Fraction"}, "tasks.x")
    with pytest.raises(RecipeError, match=r"tasks\.x\.class_path: cannot import 'nowhere\.Thing'"):
        look_up({}, {"class_path": "nowhere.Thing"}, "tasks.x", trust=True)


def test_an_objective_without_a_constructor_has_no_options():
    class Bare(Objective):
        def forward(self, step):
            return {}

    assert isinstance(construct(Bare, {}, "objectives.bare", tasks={}, network=None), Bare)
    with pytest.raises(RecipeError, match=r"objectives\.bare\.args: no such option"):
        construct(Bare, {"args": 1}, "objectives.bare", tasks={}, network=None)
