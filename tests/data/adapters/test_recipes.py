"""The recipe of each data set, trained for two steps on a fake copy that was converted first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from crosstask.commands.convert import NAMES
from crosstask.construct import construct
from crosstask.data.adapters import ADAPTERS, convert
from crosstask.data.check.check import check
from crosstask.data.table.sources import load_tables, readers
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from tests.data.adapters import (
    fake_attributes,
    fake_cityscapes,
    fake_coco,
    fake_nyuv2_mat,
    fake_preprocessed,
    fake_voc,
)


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
