"""Tables, cells, label files, lists and tables of relatedness that cannot be, before every command that reads them."""

# ruff: noqa: E501  # tables of inputs
from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.bad_input.case import Case, train

TABLE = "{work}/data/data.csv"
COLUMNS = ("image", "semantic", "depth", "normals", "tags", "place", "split", "id")
READERS: dict[str, tuple[str, ...]] = {
    "train": train("--data.labels", "full"),
    "check": ("check", TABLE, "--recipe", "{work}/data/recipe.yaml", "--workers", "0", "--quiet"),
    "check alone": ("check", TABLE, "--workers", "0", "--quiet"),
    "eval": ("eval", "{work}/run", "--table", TABLE, "--split", "", "--quiet"),
    "predict": ("predict", "{work}/run", TABLE, "--out", "{work}/out", "--quiet"),
    "regions": ("regions", TABLE, "--by", "grid", "--workers", "1"),
    "relate": ("relate", TABLE, "--of", "place", "--to", "tags", "--out", "{work}/r.csv", "--split", "train"),
}
WRONG_CELLS: dict[str, str] = {
    "missing file": "no/such/file.png", "a folder": "image", "outside": "../../../etc/hosts", "a device": "/dev/zero",
    "a pipe": "pipe", "a loop": "loop", "no image": "recipe.yaml", "long": "x" * 5000, "a number": "123456", "nan": "nan",
    "control": "a\x01b", "umlauts": "äöü.png", "url": "https://example.com/x.png", "separators": ";;;", "dash": "-",
    "question": "?", "negative": "-5", "inf": "inf", "huge": "1e400", "list": "[1, 2]", "many": "cat;sofa;cat",
    "rtl": "\u202egnp.x", "nul": "a\0b",
}  # fmt: skip


def cell(row: int, column: str, text: str) -> Callable[[Path], None]:
    """Damage: one cell of the table."""

    def damage(work: Path) -> None:
        _odd_files(work)
        path = work / "data" / "data.csv"
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        rows[row][column] = text
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    return damage


def _odd_files(work: Path) -> None:
    os.mkfifo(work / "data" / "pipe")
    (work / "data" / "loop").symlink_to("loop")


def text(change: Callable[[str], str | bytes], name: str = "data.csv") -> Callable[[Path], None]:
    """Damage: the text of a file of the data."""

    def damage(work: Path) -> None:
        path = work / "data" / name
        changed = change(path.read_text())
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode("utf-8", "surrogatepass"))

    return damage


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    return lambda content: "\n".join(change(content.splitlines())) + "\n"


TABLES: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda content: "",
    "blank lines": lambda content: "\n\n\n",
    "header alone": _lines(lambda lines: lines[:1]),
    "no header": _lines(lambda lines: lines[1:]),
    "column twice": lambda content: content.replace("depth,", "semantic,", 1),
    "blank column": lambda content: content.replace("depth,", ",", 1),
    "no image": lambda content: content.replace("image,", "picture,", 1),
    "no task": lambda content: content.replace("semantic,", "semantik,", 1),
    "upper case": lambda content: content.replace("semantic,", "Semantic,", 1),
    "semicolons": lambda content: content.replace(",", ";"),
    "tabs": lambda content: content.replace(",", "\t"),
    "utf-16": lambda content: content.encode("utf-16"),
    "latin-1": lambda content: content.replace("cat", "c\xe4t").encode("latin-1"),
    "nul bytes": lambda content: content.replace("cat", "c\0t"),
    "binary": lambda content: bytes(range(256)) * 20,
    "too many cells": lambda content: content + "a,b,c,d,e,f,g,h,i,j,k,l,m,n\n",
    "an open quote": lambda content: content.replace("cat", '"cat'),
    "half": lambda content: content[: len(content) // 2],
    "row twice": _lines(lambda lines: [*lines, lines[-1]]),
    "id twice": lambda content: content.replace("\n001,", "\n000,"),
    "blank image": lambda content: content.replace("image/000.png", ""),
    "all blank": _lines(lambda lines: [lines[0], *("," * lines[0].count(",") for _ in lines[1:])]),
    "one split": lambda content: content.replace(",train,", ",test,"),
    "odd split": lambda content: content.replace(",train,", ",../../x,"),
    "a path as an id": lambda content: content.replace("\n000,", "\n../../../tmp/x,"),
    "a folder as an id": lambda content: content.replace("\n000,", "\n/,").replace("\n001,", "\n..,"),
    "ids of one file name": lambda content: content.replace("\n000,", "\na:b,").replace("\n001,", "\na?b,"),
    "a long id": lambda content: content.replace("\n000,", "\n" + "y" * 3000 + ","),
    "an id of a surrogate": lambda content: content.replace("\n000,", "\n\udc80,"),
    "formula": lambda content: content.replace("\n000,", "\n=cmd|' /C calc'!A0,"),
    "a huge cell": lambda content: content.replace("cat", "c" * 200_000),
    "json": lambda content: '[{"image": "image/000.png"}]',
    "html": lambda content: "<html><body>404 not found</body></html>",
}
FAILS_ANYWHERE = {
    "empty", "blank lines", "header alone", "column twice", "blank column", "no image", "utf-16", "latin-1",
    "nul bytes", "binary", "too many cells", "row twice", "id twice", "blank image", "all blank", "json", "html",
}  # fmt: skip


def cases() -> Iterator[Case]:
    needs = ("data", "run")
    for reader, typed in READERS.items():
        for name, change in TABLES.items():
            yield Case("tables", f"{reader}: {name}", typed, text(change), needs, name in FAILS_ANYWHERE,
                       mentions=("data.csv",))  # fmt: skip
    for column in COLUMNS:
        for name, wrong in WRONG_CELLS.items():
            for reader in ("train", "eval", "check") if column not in ("split", "id") else ("predict", "train"):
                yield Case("cells", f"{reader}: {column} {name}", READERS[reader], cell(0, column, wrong), needs,
                           must_fail=_fails(reader, column, name), mentions=("data.csv", column, wrong[:20]))  # fmt: skip
    for column in ("image", "semantic", "depth", "normals"):
        for name, spoil in FILES.items():
            for reader in ("train", "check", "predict") if column == "image" else ("train", "eval"):
                refused = (reader, name) in {("train", "jpeg"), ("eval", "jpeg")} and column == "semantic"
                broken = name in {"empty", "text", "a folder", "a pipe", "a loop", "half", "another size", "pickle"}
                broken &= column != "image" or name != "another size"
                yield Case("label files", f"{reader}: {column} {name}", READERS[reader], spoiled(column, spoil), needs,
                           must_fail=refused or broken, mentions=(column, "data.csv"))  # fmt: skip
    yield from _lists()
    yield from _relatedness()


def _fails(reader: str, column: str, name: str) -> bool:
    dense = column in ("image", "semantic", "depth", "normals")
    return dense and name not in ("dash", "question", "nan", "separators")


FILES: dict[str, Callable[[Path], None]] = {}


def _file(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    def register(function: Callable[[Path], None]) -> Callable[[Path], None]:
        FILES[name] = function
        return function

    return register


@_file("empty")
def _(path: Path) -> None:
    path.write_bytes(b"")


@_file("text")
def _(path: Path) -> None:
    path.write_text("this is no picture")


@_file("half")
def _(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@_file("bits")
def _(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(40, len(content), 37):
        content[place] ^= 0x55
    path.write_bytes(content)


@_file("huge header")
def _(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[16:24] = b"\x00\x7f\xff\xff\x00\x7f\xff\xff"
    path.write_bytes(content)


@_file("a folder")
def _(path: Path) -> None:
    path.unlink()
    path.mkdir()


@_file("a pipe")
def _(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@_file("a loop")
def _(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


@_file("pickle")
def _(path: Path) -> None:
    array = np.empty(3, object)
    array[:] = [{"a": 1}, {1, 2}, None]
    with open(path, "wb") as file:
        np.save(file, array, allow_pickle=True)


@_file("jpeg")
def _(path: Path) -> None:
    with Image.open(path) as image:
        image.convert("RGB" if image.mode == "RGB" else "L").save(path, "JPEG", quality=75)


@_file("another size")
def _(path: Path) -> None:
    Image.fromarray(np.zeros((7, 9), np.uint8)).save(path)


@_file("one pixel")
def _(path: Path) -> None:
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(path)


@_file("colour")
def _(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8).astype(np.uint8)).save(path)


@_file("deep")
def _(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 2**16, (32, 48)).astype(np.uint16)).save(path)


@_file("animated")
def _(path: Path) -> None:
    frames = [Image.fromarray(np.full((32, 48), value, np.uint8)) for value in (0, 1)]
    frames[0].save(path, "PNG", save_all=True, append_images=frames[1:])


@_file("cmyk")
def _(path: Path) -> None:
    Image.new("CMYK", (48, 32)).save(path, "JPEG")


def spoiled(column: str, spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    """Damage: the files of a column."""

    def damage(work: Path) -> None:
        for path in sorted((work / "data" / column).glob("*.png")):
            spoil(path)

    return damage


def _lists() -> Iterator[Case]:
    contents = {
        "empty": "", "a list": "[]", "text": "{depth", "unknown task": '{"dept": ["000"]}', "no list": '{"depth": "000"}',
        "numbers": '{"depth": [0, 1]}', "null": "null", "unknown ids": '{"depth": ["999"]}', "nested": '{"depth": [["000"]]}',
        "deep": "[" * 5000 + "]" * 5000, "binary": "\x00\x01", "empty mapping": "{}", "twice": '{"depth": ["000"], "depth": []}',
    }  # fmt: skip
    for name, content in contents.items():
        change = text(lambda _, content=content: content, "lists.json")
        typed = train("--data.labels", "lists:{work}/data/lists.json")
        yield Case(
            "lists", f"lists: {name}", typed, change, ("data",), must_fail=name not in ("empty mapping", "unknown ids")
        )
        typed = train("--data.labels", "file:{work}/data/lists.json")
        yield Case("lists", f"file: {name}", typed, change, ("data",))


def _relatedness() -> Iterator[Case]:
    rows = {
        "empty": "", "header alone": "class,cat,sofa\n", "no class": "class,cat,sofa\n,0.5,1\n", "text": "class,cat,sofa\nindoor,x,1\n",
        "nan": "class,cat,sofa\nindoor,nan,1\noutdoor,1,1\n", "inf": "class,cat,sofa\nindoor,inf,1\noutdoor,0,0\n",
        "above one": "class,cat,sofa\nindoor,1.5,1\noutdoor,0,0\n", "negative": "class,cat,sofa\nindoor,-0.5,1\noutdoor,0,0\n",
        "twice": "class,cat,sofa\nindoor,1,1\nindoor,1,1\n", "unknown class": "class,cat,sofa\ninside,1,1\noutdoor,0,0\n",
        "unknown attribute": "class,cat,chair\nindoor,1,1\noutdoor,0,0\n", "missing": "class,cat,sofa\nindoor,1,1\n",
        "too many": "class,cat,sofa\nindoor,1,1,1,1\n", "semicolons": "class;cat;sofa\nindoor;1;1\n", "binary": "\x00\x01\x02",
        "huge": "class,cat,sofa\nindoor,1e400,1\noutdoor,0,0\n", "percent": "class,cat,sofa\nindoor,50%,1\noutdoor,0,0\n",
    }  # fmt: skip
    mappings = {
        "empty": "", "a list": "- 1", "twice": "indoor: {cat: 1, cat: 0}\noutdoor: {}", "nan": "indoor: {cat: .nan}\noutdoor: {}",
        "nested": "indoor: {cat: [1]}\noutdoor: {}", "text": "indoor: {cat: much}\noutdoor: {}", "row of text": "indoor: cat",
        "broken": "indoor: {cat", "tag": "indoor: !!python/name:os.system {}", "recursive": "&a {indoor: *a}",
        "truth": "indoor: {cat: yes, sofa: true}\noutdoor: {cat: 0}", "no names": "indoor: {}\noutdoor: {}",
    }  # fmt: skip
    for suffix, contents in ((".csv", rows), (".yaml", mappings)):
        for name, content in contents.items():
            change = text(lambda _, content=content: content, f"r{suffix}")
            options = f"{{classes: place, attributes: tags, relatedness: '{{work}}/data/r{suffix}'}}"
            typed = train("--objectives.soft_coannotation", options)
            yield Case("relatedness", f"{suffix} {name}", typed, change, ("data",), must_fail=name not in ("truth",))
            zero = ("eval", "{work}/run", "--table", TABLE, "--zero-shot", f"new={{work}}/data/r{suffix}", "--quiet")
            yield Case("relatedness", f"zero-shot {suffix} {name}", zero, change, ("data", "run"), must_fail=True)
