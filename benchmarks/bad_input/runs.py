"""Damaged run directories, comparisons and refinements: each file gone, empty, cut off, replaced; each value changed."""

# ruff: noqa: E501  # tables of inputs
from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bad_input.case import Case

FOLDERS: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {
        "eval": ("eval", "{work}/run", "--quiet"),
        "predict": ("predict", "{work}/run", "{work}/data/image", "--out", "{work}/out", "--quiet"),
        "export": ("export", "{work}/run"),
        "report": ("report", "{work}/run"),
        "resume": ("train", "--resume", "{work}/run", "--quiet"),
        "start_from": ("train", "{work}/run/recipe.yaml", "--out", "{work}/new", "--training.start_from", "{work}/run",
                       "--quiet"),
    },
    "grid": {
        "report": ("report", "{work}/grid"),
        "compare": ("compare", "{work}/grid/recipe.yaml", "--objectives", "supervised", "--seeds", "0", "--out",
                    "{work}/grid", "--quiet"),
    },
    "rounds": {"report": ("report", "{work}/rounds"), "resume": ("refine", "--resume", "{work}/rounds", "--quiet")},
}  # fmt: skip
WHOLE: dict[str, Callable[[Path], None]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "noise": lambda path: path.write_bytes(random.Random(0).randbytes(500)),
    "bits": lambda path: _flip(path),
    "a list": lambda path: path.write_text("[1, 2, 3]\n"),
    "null": lambda path: path.write_text("null\n"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "deep": lambda path: path.write_text("[" * 10_000 + "]" * 10_000),
}
VALUES: dict[str, Any] = {
    "null": None, "text": "x", "a path": "../../../tmp/x", "negative": -1, "huge": 10**30, "a list": [1, "a"],
    "a mapping": {"a": 1}, "nan": float("nan"), "inf": float("inf"), "true": True, "blank": "", "fraction": 0.5,
}  # fmt: skip
TEXTS = ("last", "best")


def cases(base: Path) -> Iterator[Case]:
    for folder, commands in FOLDERS.items():
        files = sorted(path.relative_to(base / folder) for path in (base / folder).rglob("*") if path.is_file())
        files = [
            file for file in files if file.suffix not in (".html", ".md", ".png") and not file.name.endswith(".lock")
        ]
        for file in files:
            for name, spoil in WHOLE.items():
                for command, typed in commands.items():
                    yield _case(folder, command, typed, f"{file} {name}", _on(folder, file, spoil))
            for index, (name, spoil) in enumerate(_inside(base / folder / file)):
                command = list(commands)[index % len(commands)]
                yield _case(folder, command, commands[command], f"{file} {name}", _on(folder, file, spoil))


def _case(folder: str, command: str, typed: tuple[str, ...], name: str, damage: Callable[[Path], None]) -> Case:
    needs = ("data", folder) if folder != "rounds" else ("squares", folder)
    words = (name.split()[0], name.split()[0].rpartition("/")[2], folder)
    return Case("run files", f"{command}: {folder}/{name}", typed, damage, needs, must_fail=False, mentions=words)


def _on(folder: str, file: Path, spoil: Callable[[Path], Any]) -> Callable[[Path], None]:
    return lambda work: spoil(work / folder / file)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content), max(len(content) // 7, 1)):
        content[place] ^= 0x11
    path.write_bytes(content)


def _inside(path: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Each key of a JSON, JSONL or YAML file, removed and with odd values; odd pointers."""
    if path.name in TEXTS:
        for name, text in {
            "outside": "../..",
            "a path": "/etc",
            "unknown": "999999",
            "noise": "\x00\x01",
            "long": "9" * 5000,
        }.items():
            yield name, lambda file, text=text: file.write_text(text)
        return
    loaders: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
        ".json": (json.loads, json.dumps),
        ".jsonl": (lambda text: json.loads(text.splitlines()[0]), json.dumps),
        ".yaml": (yaml.safe_load, lambda value: yaml.safe_dump(value, sort_keys=False)),
    }
    if path.suffix not in loaders:
        return
    load, dump = loaders[path.suffix]
    chance = random.Random(str(path.name))
    for keys in _paths(load(path.read_text())):
        named = ".".join(map(str, keys))
        for name, value in [("removed", ...), *chance.sample(sorted(VALUES.items(), key=lambda item: item[0]), 3)]:
            yield (
                f"{named} {name}",
                lambda file, keys=keys, value=value: file.write_text(_changed(file, keys, value, load, dump)),
            )
    yield "an unknown key", lambda file: file.write_text(_changed(file, ("nonsense",), 1, load, dump))


def _paths(value: Any, most: int = 3) -> Iterator[tuple[Any, ...]]:
    """The keys of a value, of longer lists only the first."""
    entries = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (key,)
        if most:
            yield from ((key, *rest) for rest in _paths(entry, most - 1))


def _changed(
    file: Path, keys: tuple[Any, ...], value: Any, load: Callable[[str], Any], dump: Callable[[Any], str]
) -> str:
    text = file.read_text()
    content = load(text)
    holder = content
    for key in keys[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    rest = text.splitlines()[1:] if file.suffix == ".jsonl" else []
    return "\n".join([dump(content), *rest]) + "\n"


def copy(base: Path, work: Path, needs: tuple[str, ...]) -> None:
    """The folders of the material that a case may damage."""
    for name in needs:
        shutil.copytree(base / name, work / name, symlinks=True)
