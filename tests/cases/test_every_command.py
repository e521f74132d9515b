"""Every table that the given situations hold, or that a person would make of them, through the commands: each ends well
or with one clear line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crosstask.cli import main
from tests.cases.situations import Situation

SITUATIONS = [
    "01_multihot",
    "02_lists_folders",
    *(f"03_coco_custom {kind}" for kind in ("order", "subset", "bbox", "rle", "point", "line", "cat", "empty", "lvis")),
    "04_saliency_levels",
    "05_binary255",
    "06_affect",
    "08_depth_units",
    "09_valid_split",
    "10_exif",
    "13_label_formats",
    "14_numeric_names",
    "18_valid_mask",
    "19_two_tables",
]
QUIET = ("--quiet", "--workers", "0")
SHORT = (
    *("--training.iterations", "2", "--training.batch_size", "2", "--training.warmup", "0", "--data.workers", "0"),
    *("--network.encoder", "small", "--network.pretrained", "false", "--quiet"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", SITUATIONS)
def test_it_ends_well_or_with_one_line(situation: Callable[..., Situation], capsys: pytest.CaptureFixture, name: str):
    there = situation(*name.split())
    for arguments in _made(there.folder):
        _ends(capsys, *arguments)
    tables = sorted(
        path.relative_to(there.folder).as_posix()
        for ending in ("csv", "jsonl", "parquet")
        for path in there.folder.rglob(f"*.{ending}")
    )
    assert tables or _made(there.folder)
    for table in tables:
        _ends(capsys, "check", table, *QUIET)
        recipe = f"{table.replace('/', '_')}.yaml"
        if _ends(capsys, "start", table, "--out", recipe, *QUIET) == 0:
            _ends(capsys, "train", recipe, "--out", f"run_{recipe}", *SHORT)
    if there.given.is_file():
        _ends(capsys, "check", "--recipe", str(there.given), *QUIET)
        _ends(capsys, "train", str(there.given), "--out", "run_given", *SHORT[:-5], "--quiet")


def _made(folder: Path) -> Iterator[tuple[str, ...]]:
    """What makes tables of folders that hold none."""
    for root in sorted(folder.glob("root_*")):
        yield "convert", "coco", root.name, "--out", "c.csv", "--labels", "instances", "--quiet", "--overwrite"
        yield "convert", "datumaro", root.name, "--format", "coco", "--out", "d.csv", "--quiet", "--overwrite"
    if any(folder.glob("*.csv")) or any(folder.glob("root_*")):
        return
    for split in ("train,valid,test", ""):
        for labels in sorted(path.name for path in folder.glob("**/") if path.name not in ("rgb", folder.name)):
            given = ("--split", split) if split else ()
            image, label = ("{split}/rgb/*.*", f"{{split}}/{labels}/*.*") if split else ("rgb/*.*", f"{labels}/*.*")
            yield "table", ".", "--out", f"{labels}{len(split)}.csv", *given, "--image", image, "--label", label
    if (folder / "l").is_dir():  # one image, its label in many formats
        for label in sorted((folder / "l").iterdir()):
            with open(folder / f"t_{label.name}.csv", "w", newline="") as file:
                csv.writer(file).writerows([["image", "label"], ["rgb/0.png", f"l/{label.name}"]])


def _ends(capsys: pytest.CaptureFixture, *arguments: str) -> int:
    """The exit code of a command that ends well, or with one clear line."""
    code = main(list(arguments))
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if ": error: " in line]
    text = said.out + said.err
    assert code in (0, 2), (arguments, said.err[-500:])
    assert "Traceback" not in text, arguments
    assert "fault of crosstask" not in text, arguments
    assert len(lines) <= 1, (arguments, lines)
    assert code == 0 or lines or arguments[0] == "check", (arguments, said.err[-500:])
    return code
