"""docs/papers.md: every row is understood, and runs for two steps on fakes in the layouts of the data sets.

The flags that make rows small are those that the page names; a few rows run always, all of them
with ``-m slow``.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
from pathlib import Path

import pytest

from crosstask.cli import main, parser, separate
from crosstask.recipe import Recipe
from tests.data.adapters import fake_attributes, fake_cityscapes, fake_coco, fake_preprocessed, fake_voc
from tests.data.adapters.scenes import save, scene

PAGE = (Path(__file__).parents[1] / "docs" / "papers.md").read_text(encoding="utf-8")
ROWS = sorted(set(re.findall(r"`(crosstask (?:train|refine) [^`]*)`", PAGE)))
PREPARATION = [line for line in re.findall(r"^crosstask .+$", PAGE, re.M) if "eval RUN" not in line]
ALWAYS = [
    "crosstask train nyuv2_npy+task_expert+two_views+region_contrast_as_published --data.table nyuv2.csv "
    "--data.regions true",
    "crosstask train nyuv2_npy+segnet+two_views+pairwise_as_published --data.table nyuv2.csv",
    "crosstask train cityscapes_npy+segnet --data.table cityscapes_npy.csv --training.batch_size 8 --data.flip true",
    "crosstask train coupling_affect+coupling_as_published --data.table faces.csv",
]
PARSER = functools.cache(parser)
TABLES = {
    "nyuv2": ("nyuv2.csv", "nyuv2_patches.csv", "nyuv2_masks.csv"),
    "cityscapes_npy": ("cityscapes_npy.csv",),
    "cityscapes": ("cityscapes.csv", "cityscapes_186.csv"),
    "voc": ("voc.csv", "voc_183.csv"),
    "coco": ("coco.csv",),
    "ade20k": ("ade20k.csv",),
    "faces": ("faces.csv",),
}


def flags(text: str) -> list[str]:
    return shlex.split(" ".join(text.split()))


def reductions() -> tuple[list[str], list[tuple[list[list[str]], list[str]]]]:
    """The flags for every row, and those for rows that say certain words: all of one of the alternatives."""
    (general,) = re.findall(r"on a laptop, add `([^`]+)`", PAGE)
    by_word = []
    for where, added in re.findall(r"^\| ([^|`]+) \| `(--[^`]+)` \|$", PAGE, re.M):
        alternatives = [part.split(" and ") for part in re.split(r",\s*|\s+or\s+", where)]
        by_word.append((alternatives, flags(added)))
    return flags(general), by_word


def reduced(command: str) -> list[str]:
    """The command, made small by the flags the page names; a flag that the row gives itself stays as it is."""
    general, by_word = reductions()
    words = set(re.split(r"[\s+]", command))
    spoken = words | {word.removesuffix("_as_published") for word in words}
    added = [flag for options, extra in by_word for flag in extra if any(set(option) <= spoken for option in options)]
    row, extra = shlex.split(command)[1:], [*general, *added]
    pairs = zip(extra[::2], extra[1::2], strict=True)
    return [*row, *(word for flag, value in pairs if flag not in row for word in (flag, value))]


# -- fakes, and the page's own preparation of them -----------------------------------------------------------------


def write_ade20k(root: Path) -> None:
    for split, count in (("training", 4), ("validation", 2)):
        for number in range(count):
            made = scene(number, 64, 96)
            save(root / "images" / split / f"ADE_{split}_{number:08}.jpg", made.image)
            mask = made.box.astype("uint8") * (number + 1) + 1  # two classes in each
            save(root / "annotations" / split / f"ADE_{split}_{number:08}.png", mask)


def write_coco(root: Path) -> None:
    names = Recipe.load("coco").tasks()
    fake_coco.write(root, names["semantic"].classes, things=80)
    for path in [*root.glob("*2017"), *root.glob("annotations/*2017.json")]:
        path.rename(path.with_name(path.name.replace("2017", "2014")))
    for path in root.glob("train2014/*.jpg"):
        save(root / "saliency" / f"{path.stem}.png", scene(int(path.stem), 64, 96).box.astype("uint8") * 255)


def write_list(path: Path, names: list[str]) -> str:
    path.write_text("\n".join(names) + "\n")
    return str(path)


def fakes(folder: Path, family: str) -> dict[str, str]:
    """What the capitals of the page stand for; only the data sets of one family are written."""
    if family == "nyuv2":
        fake_preprocessed.write_nyuv2(folder / "nyuv2")
    if family == "cityscapes_npy":
        fake_preprocessed.write_cityscapes(folder / "cityscapes_npy")
    if family == "cityscapes":
        fake_cityscapes.write(folder / "cityscapes")
    if family == "voc":
        fake_voc.write(folder / "voc")
    if family == "coco":
        write_coco(folder / "coco")
    if family == "ade20k":
        write_ade20k(folder / "ade20k")
    if family == "faces":
        fake_attributes.write(folder / "faces")
    images = sorted((folder / "cityscapes").glob("leftImg8bit/train/*/*.png"))
    return {
        "NYUV2": "nyuv2",
        "CITYSCAPES_NPY": "cityscapes_npy",
        "CITYSCAPES": "cityscapes",
        "CITYSCAPES_LIST": write_list(folder / "cityscapes.txt", [path.stem for path in images[:2]]),
        "VOC2012": "voc",
        "SALIENCY": "voc/saliency",
        "VOC_LIST": write_list(folder / "voc.txt", fake_voc.TRAIN[:2]),
        "COCO": "coco",
        "COCO_SALIENCY": "coco/saliency",
        "ADE20K": "ade20k",
        "ANNOTATIONS": "faces/annotations.csv",
        "FACES": "faces/faces",
    }


def prepare(folder: Path, family: str) -> None:
    """Run the page's commands that make the tables of one family, in the current folder."""
    meant = fakes(folder, family)
    for command in PREPARATION:
        words = shlex.split(command)[1:]
        made = words[words.index("--write" if "--write" in words else "--out") + 1]
        if made in TABLES[family]:
            alone = ["--workers", "1"] if words[0] == "regions" else []  # no processes of their own
            assert main([*(meant.get(word, word) for word in words), *alone]) == 0, command


def family_of(command: str) -> str | None:
    table = re.search(r"--data.table (\S+)", command)
    return None if table is None else next(name for name, tables in TABLES.items() if table[1] in tables)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of a family's tables, made once."""
    folders: dict[str, Path] = {}

    def get(family: str, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = folders.get(family) or tmp_path_factory.mktemp(family)
        monkeypatch.chdir(folder)
        if family not in folders:
            folders[family] = folder
            prepare(folder, family)
        return folder

    return get


# -- tests ---------------------------------------------------------------------------------------------------------


def test_the_page_has_the_rows_of_all_papers_and_every_table_is_made_on_it():
    assert len(ROWS) > 90
    assert set(ALWAYS) <= set(ROWS)
    made = {word for command in PREPARATION for word in shlex.split(command) if word.endswith(".csv")}
    assert {table for tables in TABLES.values() for table in tables} <= made
    assert {family_of(command) for command in ROWS} == {*TABLES, None}


@pytest.mark.parametrize("command", ROWS)
def test_a_row_is_understood(command):
    _, *typed = shlex.split(command)
    top, each = PARSER()
    typed, overrides = separate(typed, set(each[typed[0]]._option_string_actions))
    recipe = Recipe.load(top.parse_args(typed).recipe, overrides)
    assert recipe.sections["objectives"]


@pytest.mark.parametrize(
    "command", [pytest.param(row, marks=[] if row in ALWAYS else pytest.mark.slow) for row in ROWS]
)
def test_a_row_runs_for_two_steps(command, prepared, tmp_path, monkeypatch):
    family = family_of(command)
    if family is not None:
        prepared(family, monkeypatch)
    arguments = reduced(command)
    assert main([*arguments, "--out", str(tmp_path / "run"), "--quiet"]) == 0
    logs = [json.loads(line) for path in tmp_path.rglob("metrics.jsonl") for line in path.read_text().splitlines()]
    trained = [log for log in logs if log["kind"] == "train"]
    assert {log["iteration"] for log in trained} == {2}
    counted = {name.split("/")[0] for log in trained for name, count in log["counts"].items() if count > 0}
    terms = {name.split("/")[0] for log in trained for name in log["terms"]}
    objectives = set(Recipe.load(arguments[1], separate(arguments, set())[1]).sections["objectives"])
    assert objectives & {"pairwise", "region_contrast", "joint_task", "cross_map"} <= counted
    assert terms <= objectives | {"supervised"}
    assert terms
