"""Numbers where text is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from crosstask.construct import construct
from crosstask.errors import RecipeError
from crosstask.strict_yaml import parse_yaml


@dataclass
class Inner:
    name: str = "a"
    rate: float = 0.5


@dataclass
class Options:
    word: str = ""
    mode: Literal["32", "bf16"] = "32"
    names: int | list[str] = 1
    many: str | list[str] | None = None
    table: dict[str, str] | None = None
    devices: int | Literal["auto"] = 1
    size: tuple[int, int] = (1, 2)
    rate: float = 0.5
    flag: bool = False
    inner: Inner | None = None


def of(text: str) -> Options:
    return construct(Options, parse_yaml(text), "here")


def test_text_is_as_it_was_typed():
    assert of("{word: 0}").word == "0"
    assert of("{word: 2.10}").word == "2.10"
    assert of("{word: 007}").word == "007"
    assert of("{word: no}").word == "no"
    assert of("{word: true}").word == "true"
    assert of("{mode: 32}").mode == "32"
    assert of("{names: [1, 1.0, on, x]}").names == ["1", "1.0", "on", "x"]
    assert of("{many: 5}").many == "5"
    assert of("{many: [5, 6.50]}").many == ["5", "6.50"]
    assert of("{table: {1: 2.50}}").table == {"1": "2.50"}
    assert of("{inner: {name: 5}}").inner == Inner("5")


def test_numbers_stay_numbers():
    assert of("{names: 3, devices: 2, rate: 1e-3, size: [3, 4]}") == Options(
        names=3, devices=2, rate=0.001, size=(3, 4)
    )
    assert of("{devices: auto, flag: yes, rate: '2.5', inner: {rate: 1}}") == Options(
        devices="auto", flag=True, rate=2.5, inner=Inner(rate=1.0)
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{rate: 1:30}", "here.rate: expected a number, found '1:30'"),
        ("{rate: nan}", "here.rate: found nan: a number must be finite"),
        ("{rate: -inf}", "here.rate: found -inf: a number must be finite"),
        ("{rate: '1e400'}", "here.rate: found 1e400: a number must be finite"),
        ("{inner: {rate: infinity}}", "here.inner.rate: found infinity: a number must be finite"),
        ("{rate: true}", "here.rate: expected a number, found True"),
        ("{size: [1, x]}", "here.size[1]: expected a whole number, found 'x'"),
        ("{size: [1, 2, 3]}", "here.size: expected tuple with 2 elements"),
        ("{mode: 31}", "here.mode: expected one of '32', 'bf16', found 31"),
        ("{inner: {nam: x}}", "here.inner.nam: no such option (found 'x'); did you mean 'name'?"),
        ("{inner: {rate: fast}}", "here.inner.rate: expected a number, found 'fast'"),
        ("{inner: os.PathLike}", "here.inner: expected options (key: value), found 'os.PathLike'"),
        ("{inner: {class_path: os.PathLike}}", "here.inner.class_path: no such option"),
    ],
)
def test_what_does_not_fit_names_the_key(text, line):
    with pytest.raises(RecipeError) as caught:
        of(text)
    assert str(caught.value).startswith(line)
