"""Derived targets follow from kept labels alone, move with the image, are counted apart and never measured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table, write_table
from crosstask.data.transforms.chains import Compose, augmentation
from crosstask.errors import DataError, RecipeError
from crosstask.evaluation.evaluate import evaluate
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks import KINDS
from crosstask.tasks.normals import NormalMap
from tests.tiny import write_recipe, write_tiny

SIZE = (96, 128)
TASKS = {name: KINDS[name](name) for name in ("depth", "normals")}
SOURCES = {"normals": "depth"}


def rooms(depth: bool = True, normals: bool = False, count: int = 3) -> RoomsDataset:
    return RoomsDataset(count, TASKS, size=SIZE).keep(torch.tensor([[depth, normals]]).expand(count, 2))


def shown(dataset, index: int, *, derive: bool = True, size: tuple[int, int] = SIZE):
    first = [DeriveTargets(SOURCES, TASKS, size)] if derive else []
    return Compose(*first, augmentation(size, colour=0))(dataset[index], torch.Generator().manual_seed(index))


@pytest.mark.parametrize("size", [SIZE, (48, 64)])
def test_what_is_derived_fits_the_image_as_it_is_shown(size):
    angles = []
    for index in range(4):
        found = shown(rooms(count=4), index, size=size).targets["normals"]
        truth = shown(rooms(normals=True, count=4), index, size=size, derive=False).targets["normals"]
        assert isinstance(found, NormalMap)
        cosine = (found.as_subclass(Tensor) * truth.as_subclass(Tensor)).sum(0)
        assert (~cosine.isnan()).float().mean() > 0.99
        angles.append(torch.rad2deg(cosine[~cosine.isnan()].clamp(-1, 1).acos()))
    assert torch.cat(angles).median() < 3


def test_labels_are_kept_and_dropped_ones_are_not_derived_from():
    given = shown(rooms(normals=True), 0).targets["normals"]
    assert torch.equal(given, shown(rooms(normals=True), 0, derive=False).targets["normals"])
    dataset = RoomsDataset(1, TASKS, size=SIZE, hidden=True).keep(torch.zeros(1, 2, dtype=torch.bool))
    sample = shown(dataset, 0)
    assert sample.hidden["depth"].known().any()
    assert not sample.targets["normals"].known().any()


def test_what_follows_from_a_given_label_takes_the_place_of_a_made_one():
    sample, derive = rooms(normals=True)[0], DeriveTargets(SOURCES, TASKS, SIZE)
    weights = {name: torch.full(SIZE, 0.5) for name in TASKS}
    made = replace(sample, made=frozenset({"normals"}), weights=weights)
    found = derive(made, torch.Generator())
    expected = derive(rooms()[0], torch.Generator()).targets["normals"]
    assert torch.equal(found.targets["normals"].nan_to_num(9), expected.nan_to_num(9))
    assert found.made == frozenset()
    assert set(found.weights) == {"depth"}
    assert found.targets["depth"] is made.targets["depth"]


def test_a_made_label_is_no_source():
    sample = replace(rooms()[0], made=frozenset({"depth"}))
    found = DeriveTargets(SOURCES, TASKS, SIZE)(sample, torch.Generator())
    assert not found.targets["normals"].known().any()
    assert found.made == {"depth"}


def test_made_labels_are_counted_as_blank(tmp_path):
    table = read_table(write_tiny(tmp_path))
    cameras = {"fx": "40", "fy": "40", "cx": "24", "cy": "16"}
    rows = [{**row, **cameras, "depth.source": "", "normals.source": "round 0"} for row in table.rows]
    rows[0]["depth.source"] = "round 0"
    columns = (*table.columns, *cameras, "depth.source", "normals.source")
    dataset = TableDataset(write_table(replace(table, columns=columns, rows=rows), tmp_path / "made.csv"), TASKS)
    assert DeriveTargets(SOURCES, TASKS, SIZE).counts(dataset) == {"normals": len(rows) - 1}


def test_counts_say_what_is_derived_and_labels_stay_what_they_were():
    mixed = RoomsDataset(3, TASKS, size=SIZE).keep(torch.tensor([[True, False], [True, True], [False, True]]))
    assert DeriveTargets(SOURCES, TASKS, SIZE).counts(mixed) == {"normals": 1}
    assert mixed.labelled().sum(0).tolist() == [2, 2]


def test_without_a_camera_nothing_is_derived_and_a_run_is_refused(tmp_path):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    overrides = ["--data.derive.normals", "depth"]
    with pytest.raises(DataError, match=r"data\.derive\.normals: no image with a label of depth has known intrinsics"):
        Experiment(Recipe.load(recipe, overrides), tmp_path / "run", quiet=True).fit()


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"normal": "depth"}, "no task 'normal'.*normals"),
        ({"normals": "dept"}, "no task 'dept'.*depth"),
        ({"depth": "normals"}, r"data\.derive\.depth: depth cannot be derived from normals.*normals from depth"),
    ],
)
def test_bad_sources(sources, words):
    with pytest.raises(RecipeError, match=words):
        DeriveTargets(sources, TASKS, SIZE)


def test_training_sees_derived_targets_and_evaluation_never(tmp_path):
    recipe = Recipe.load(
        "demo",
        ["--data.rooms", "{train: 12, validation: 2, test: 2}", "--data.size", "[32, 48]", "--data.workers", "0",
         "--data.derive", "{normals: depth}", "--training.iterations", "2", "--training.batch_size", "4"],
    )  # fmt: skip
    experiment = Experiment(recipe, tmp_path / "run", quiet=True)
    train = experiment.plan.splits.train
    kept = dict(zip(train.ids, train.labelled().tolist(), strict=True))
    derived = set()
    for _, batch in zip(range(3), experiment.plan.training_batches(0, 0, 1), strict=False):
        normals = batch.targets["normals"].isfinite().flatten(1).any(1).tolist()
        for name, known in zip(batch.ids, normals, strict=True):
            _, depth, own = kept[name]
            assert known == (depth or own)
            derived |= {name} if depth and not own else set()
    assert len(derived) == 4
    for index in range(len(train)):  # what 'crosstask eval --split train' and the prior look at
        assert bool(train[index].targets["normals"].known().any()) == kept[train.ids[index]][2]
    experiment.fit()
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["training_labels"] == {"semantic": 4, "depth": 4, "normals": 4}
    assert environment["derived_targets"] == {"normals": 4}


def test_a_column_of_derived_labels_is_not_measured():
    tasks = {name: KINDS["depth"](name) for name in ("depth", "depth_derived")}
    network = torch.nn.Identity()
    assert set(evaluate(network, [], tasks).tasks) == {"depth"}
