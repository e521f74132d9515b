"""Made-up values: as odd as JSON and YAML can hold, always the same ones, and no more than a test run has time for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

hypothesis = pytest.importorskip("hypothesis", reason="needs hypothesis, of the extra 'dev'")
st = hypothesis.strategies

T = TypeVar("T")

ODD = ["", " ", "-", "?", "..", "../x", "nan", "1e400", "0x1F", "true", "null", "a;b", "\x00", "\u202e", "ä" * 300, "👁"]


def some(count: int) -> Callable[[T], T]:
    """So many examples, the same in each test run."""
    return hypothesis.settings(
        max_examples=count, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip


TEXT = st.sampled_from(ODD) | st.text(max_size=12)
NUMBERS = st.integers() | st.integers(-3, 300) | st.floats() | st.sampled_from([0, -1, 10**30, 1e300, 1e-300])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)


def one_line(error: Exception, *mentioned: object) -> None:
    """What is refused is refused in one line that mentions what it is about."""
    assert str(error).strip()
    assert len(str(error).split("\n")) == 1, str(error)
    for each in mentioned:
        assert str(each) in str(error)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys that lead to each value inside a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([here] if here else []), *(place for key, each in entries for place in places(each, (*here, key)))]


@st.composite
def damaged(draw: Any, value: Any) -> Any:
    """A copy of a value in which something is replaced, removed or renamed."""
    found = copy.deepcopy(value)
    *above, last = draw(st.sampled_from(places(value)))
    holder = found
    for key in above:
        holder = holder[key]
    what = draw(st.sampled_from(["replaced", "replaced", "replaced", "removed", "renamed"]))
    if what == "replaced" or isinstance(holder, list):
        holder[last] = draw(VALUES)
    else:
        old = holder.pop(last)
        if what == "renamed":
            holder[draw(TEXT)] = old
    return found
