"""The recipe of each data set, trained for two steps on a fake copy that was converted first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from crosstask.cli import main
from crosstask.commands.convert import NAMES
from crosstask.construct import construct
from crosstask.data.adapters import ADAPTERS, convert
from crosstask.data.check.check import check
from crosstask.data.check.conventions import declared
from crosstask.data.table.folders import make_table
from crosstask.data.table.sources import load_tables, readers
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.recipe.shipped import shipped_recipes
from tests.data.adapters import (
    fake_attributes,
    fake_cityscapes,
    fake_coco,
    fake_nyuv2_mat,
    fake_preprocessed,
    fake_voc,
)
from tests.data.adapters.scenes import save, scene


class Case(NamedTuple):
    """A recipe, the fake copy it is run on, how that is converted and at which size it is trained."""

    write: Callable[[Path], None]
    size: tuple[int, int] = (32, 64)
    root: str = ""
    options: Mapping[str, str] = {}


def write_coco(root: Path) -> None:
    names = Recipe.load("coco").tasks()
    fake_coco.write(root, names["semantic"].classes, things=80)


CASES = {
    "nyuv2_npy": Case(fake_preprocessed.write_nyuv2),
    "nyuv2_mat": Case(
        fake_nyuv2_mat.write, options={"map40": "{root}/classMapping40.mat", "normals": "derived", "border": "4"}
    ),
    "cityscapes_npy": Case(fake_preprocessed.write_cityscapes),
    "cityscapes": Case(fake_cityscapes.write),
    "voc": Case(fake_voc.write, options={"masks": "SegmentationClassAug"}),
    "coco": Case(write_coco),
    "attributes": Case(
        fake_attributes.write,
        (32, 32),
        "annotations.csv",
        {
            "images": "{root}/faces",
            "split": "split",
            "category": "expression",
            "tags": ["AU1", "AU2", "AU25"],
            "scalars": ["valence", "arousal"],
            "missing": ["-5"],
        },
    ),
}


def test_every_adapter_is_a_choice_of_the_command_and_has_a_recipe():
    assert tuple(ADAPTERS) == NAMES
    assert set(CASES) == set(ADAPTERS) - {"lists", "image_folders", "datumaro", "huggingface"}


@pytest.mark.parametrize("name", CASES)
def test_the_recipe_trains_and_is_measured_on_a_fake_copy(name, tmp_path):
    case = CASES[name]
    root = tmp_path / "copy"
    case.write(root)
    options = {key: value.format(root=root) if isinstance(value, str) else value for key, value in case.options.items()}
    adapter = construct(ADAPTERS[name], options, f"convert {name}", root=str(root / case.root))
    made = convert(adapter, tmp_path / "table.csv", workers=1)
    assert set(made.table.splits) == {"train", "test"}
    height, width = case.size
    recipe = Recipe.load(
        name,
        ["--data.table", str(tmp_path / "table.csv"), "--data.size", f"[{height}, {width}]", "--data.workers", "0",
         "--data.evaluation_size", f"[{height}, {width}]", "--data.labels", "full", "--data.validation_fraction", "0",
         "--training.iterations", "2", "--training.batch_size", "2", "--training.warmup", "0",
         "--network.pretrained", "false"],
    )  # fmt: skip
    assert set(recipe.tasks()) <= set(made.table.columns)
    experiment = Experiment(recipe, tmp_path / "run", quiet=True)
    labelled = experiment.plan.splits.train.labelled()
    assert labelled.any(0).all()
    test = experiment.plan.splits.test
    known = [any(test[i].targets[task].known().any() for i in range(len(test))) for task in recipe.tasks()]
    assert all(known)
    assert experiment.fit().iteration == 2
    given = recipe.data.table
    found = check(load_tables(given), recipe.tasks(), readers=readers(given, recipe.tasks()))
    assert not [error.message for error in found.errors if "effect" in error.message or " lists " in error.message]


def _ade20k(folder: Path) -> Path:
    for split in ("training", "validation"):
        for number in range(3):
            made = scene(number, 48, 64)
            ids = np.where(made.box, 50 * number + 7, 1).astype(np.uint8)
            ids[:4] = 0
            save(folder / "set" / "images" / split / f"ADE_{split}_{number}.jpg", made.image)
            save(folder / "set" / "annotations" / split / f"ADE_{split}_{number}.png", ids)
    patterns = {"image": "images/{split}/*.jpg", "semantic": "annotations/{split}/*.png"}
    return make_table(folder / "set", patterns, folder / "t.csv", ("training", "validation")).table.path


def _cityscapes(folder: Path) -> Path:
    fake_cityscapes.write(folder / "set")
    adapter = construct(ADAPTERS["cityscapes"], {"geometry": "none"}, "convert cityscapes", root=str(folder / "set"))
    return convert(adapter, folder / "t.csv", workers=1).table.path


def _rooms(folder: Path) -> Path:
    typed = ["rooms", "--out", str(folder / "rooms"), "--train", "6", "--val", "0", "--test", "2", "--size", "32", "48"]
    assert main(typed) == 0
    return folder / "rooms" / "table.csv"


MORE = {"ade20k_semi": _ade20k, "cityscapes_semi": _cityscapes, "rooms_tags": _rooms}
"""Recipes with conventions of their own, and what lays out their data as the set does."""


def test_all_recipes_with_conventions_are_tried():
    declaring = {
        name for name in shipped_recipes() if any(declared(task) for task in Recipe.load(name).tasks().values())
    }
    assert declaring <= {*MORE, *CASES}
    assert set(MORE) <= declaring


@pytest.mark.parametrize("name", MORE)
def test_every_convention_of_a_recipe_has_an_effect_on_its_data(name, tmp_path):
    recipe = Recipe.load(name, ["--data.table", str(MORE[name](tmp_path))])
    tasks = {key: task for key, task in recipe.tasks().items() if declared(task)}
    data = recipe.data
    found = check(load_tables(data.table), tasks, training=data.train_split, test=data.test_split)
    assert not [each.message for each in found.errors if each.where in tasks]
