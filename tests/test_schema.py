"""The files of runs against their types."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field
from typing import Literal

import pytest

from crosstask.errors import UserError
from crosstask.reading import read_json, read_text
from crosstask.schema import conform, read_as


@dataclass(frozen=True)
class Inner:
    rate: float
    better: Literal[-1, 0, 1] = 0


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    inner: dict[str, Inner]
    cells: list[tuple[str, int]] = field(default_factory=list)
    memory: int | None = None


GOOD = {"name": "a", "count": 2, "inner": {"x": {"rate": 0.5, "better": 1}}, "cells": [["a", 1]], "memory": None}


def test_what_fits_becomes_objects():
    expected = Outer("a", 2, {"x": Inner(0.5, 1)}, [("a", 1)], None)
    assert conform(json.loads(json.dumps(asdict(expected))), Outer) == expected
    assert conform({**GOOD, "of a newer version": 1}, Outer) == expected
    assert math.isnan(conform({"rate": None}, Inner).rate)
    assert conform({"rate": "-inf"}, Inner).rate == -math.inf
    assert conform({"rate": 3}, Inner).rate == 3.0


WRONG = {
    "name: expected text, found 3": {"name": 3},
    "count: expected a whole number, found True": {"count": True},
    "count: expected a whole number, found 2.0": {"count": 2.0},
    "count: expected a whole number, found 1000000000000000000000": {"count": 10**21},
    "inner.x.rate: expected a number, found 'fast'": {"inner": {"x": {"rate": "fast"}}},
    "inner.x.rate: missing": {"inner": {"x": {}}},
    "inner.x.better: expected one of -1, 0, 1, found 2": {"inner": {"x": {"rate": 1, "better": 2}}},
    "inner: expected a mapping, found []": {"inner": []},
    "cells: expected a list, found {}": {"cells": {}},
    "cells[1][1]: expected a whole number, found 'b'": {"cells": [["a", 1], ["a", "b"]]},
    "cells[0]: expected a list of 2, found ['a']": {"cells": [["a"]]},
    "memory: expected a whole number, found 'x'": {"memory": "x"},
}


@pytest.mark.parametrize("line", WRONG)
def test_what_does_not_fit_names_file_key_value_and_remedy(line, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**GOOD, **WRONG[line]}))
    with pytest.raises(UserError) as caught:
        read_as(path, Outer, "make it anew")
    assert str(caught.value) == f"{path}: {line}: make it anew"


BROKEN = {
    "": "is not JSON", "{": "is not JSON", "[" * 100_000: "is not JSON", '{"a": NaN}': "NaN is no number",
    '{"a": 1, "a": 2}': "key 'a' is there twice", "\ufeff{}x": "is not JSON",
    '{"a": ' + "9" * 5000 + "}": "is not JSON",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_json(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=BROKEN[text]) as caught:
        read_json(path, "make it anew")
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("make it anew")


def test_only_files_of_some_size_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert read_text(tmp_path / "a") == "x" * 100
    with pytest.raises(UserError, match="100 bytes, more than the 99 allowed"):
        read_text(tmp_path / "a", 99)
    (tmp_path / "b").write_bytes(b"ab\xff")
    with pytest.raises(UserError, match="byte 2 is not UTF-8"):
        read_text(tmp_path / "b")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(UserError, match="is a folder, a device or a pipe"):
            read_text(path)
    for path in (tmp_path / "none", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(UserError, match="cannot be read"):
            read_text(path)
