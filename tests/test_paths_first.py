"""What is wrong with a path is said before anything heavy is imported, by every command that takes one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosstask.cli import COMMANDS

HEAVY = ("torch", "numpy", "timm", "PIL", "lightning_fabric", "jsonargparse", "rich")
NO_PATH = {"completion"}
"""Commands that take no path."""
WRONG = """
    demo --photos nosuch
    table nosuch --image x --out new.csv
    table . --image x --out t.csv
    merge nosuch.csv t.csv --out new.csv
    merge t.csv t.csv --out t.csv
    agree nosuch.csv
    agree t.csv --recipe nosuch
    agree t.csv --fuse t.csv
    pack nosuch.csv --out new
    convert voc nosuch --out new.csv
    convert voc . --out t.csv
    annotate nosuch.csv demo --as coco --out new
    annotate t.csv nosuch --as coco --out new
    annotate t.csv demo --as coco --out run
    check nosuch.csv
    check t.csv --recipe nosuch
    check --recipe gone.yaml
    start nosuch.csv
    start t.csv --out t.csv
    regions nosuch.csv
    regions t.csv --recipe nosuch
    regions t.csv --write run
    relate nosuch.csv --of a --to b --out new.csv
    relate t.csv --of a --to b --out new.csv --recipe nosuch
    relate t.csv --of a --to b --out t.csv
    train nosuch
    train --resume nosuch
    train --resume run
    train gone.yaml
    train demo --data.table nosuch.csv
    train demo --data.table=[t.csv,nosuch.csv]
    train demo --data.table={path: nosuch.csv}
    train demo --data.labels lists:nosuch.json
    train demo --data.labels file:nosuch.pth
    train demo --network.weights nosuch.pth
    train demo --training.start_from nosuch
    train demo --objectives.soft_coannotation.relatedness nosuch
    train demo --out t.csv
    train demo --out run
    align nosuch --objectives pairwise
    align run --objectives pairwise
    refine nosuch
    refine --resume nosuch
    refine gone.yaml
    refine demo --data.table nosuch.csv
    eval nosuch
    eval run
    eval run --table nosuch.csv
    eval run --table t.csv --zero-shot new=nosuch
    suggest nosuch --budget 5
    suggest run --budget 5
    suggest run --budget 5 --images nosuch
    audit nosuch
    audit run
    compare nosuch --objectives pairwise
    compare gone.yaml --objectives pairwise
    compare demo --objectives pairwise --data.table nosuch.csv
    report nosuch
    report run
    report run --out run
    runs nosuch
    predict nosuch x --out new
    predict run nosuch --out new
    predict run t.csv --out run
    predict run t.csv --out new --zero-shot new=nosuch
    serve nosuch
    app nosuch
    export nosuch
    export run
    export run --out run
    rooms --out t.csv
    recipes nosuch
"""
CODE = """
import json, sys
from crosstask.cli import main
for typed in json.load(sys.stdin):
    code = main(typed)
    print(code, *[name for name in {heavy} if name in sys.modules])
"""


def typed() -> list[list[str]]:
    """The words of each line; a flag that holds blanks is one."""
    lines = [line.strip() for line in WRONG.strip().splitlines()]
    return [line.replace("{path: ", "{path:_").split() for line in lines]


def test_every_command_is_tried():
    assert {line[0] for line in typed()} == set(COMMANDS) - NO_PATH


def test_wrong_paths_are_said_before_anything_heavy_is_imported(tmp_path):
    (tmp_path / "t.csv").write_text("image\na.png\n")
    (tmp_path / "gone.yaml").write_text("data: {table: nosuch.csv}\ntasks: {depth: {kind: depth}}\n")
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "recipe.yaml").write_text((tmp_path / "gone.yaml").read_text())
    (run / "checkpoints/last").write_text("")
    (run / "network.pt2").write_text("")
    words = [[word.replace("{path:_", "{path: ") for word in line] for line in typed()]
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(heavy=HEAVY)], input=json.dumps(words), capture_output=True, text=True,
        cwd=tmp_path, env=_environment(), check=True,
    )  # fmt: skip
    said = dict(zip(map(" ".join, words), done.stdout.splitlines(), strict=True))
    assert {line: answer for line, answer in said.items() if answer != "2"} == {}
    errors = done.stderr.splitlines()
    assert len(errors) == len(words)
    assert all(error.startswith("crosstask: error: ") for error in errors)
    missing = [error for line, error in zip(said, errors, strict=True) if "nosuch" in line]
    assert [error for error in missing if "nosuch" not in error] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gone.yaml", "run", "t.csv"]


@pytest.mark.parametrize("typed", [["--help"], ["train", "--help"], ["--version"], ["trian"], ["recipes"]])
def test_help_imports_nothing_heavy(typed):
    code = f"import sys\nfrom crosstask.cli import main\ntry: main({typed!r})\nexcept SystemExit: pass\n"
    code += f"print([name for name in {HEAVY[:-1]!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment(), check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    if typed == ["trian"]:
        assert "did you mean 'train'?" in done.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
