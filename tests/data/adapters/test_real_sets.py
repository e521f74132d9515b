"""Real sets of several layouts, read by ordinary flags of ``crosstask table``, as docs/datasets.md shows."""

from __future__ import annotations

import json
import shlex

import pytest
import torch
from torch import Tensor

from crosstask.cli import main
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.ops.geometry import normals_from_depth
from crosstask.recipe import Recipe
from tests.shared import shared

LINES = {
    "nyuv2": "--image '{split}/rgb/*.jpg' --semantic '{split}/semseg13/*.png' --depth '{split}/depth/*.png' "
    "--normals '{split}/normal/*.jpg' --split train,test --fx 218.4665 --fy 218.724 --cx 130.061 --cy 101.4942",
    "camvid": "--image '{split}/rgb/*.jpg' --semantic '{split}/semseg/*.png' --split train,val,test",
    "ccp": "--image '{split}/rgb/*.jpg' --semantic '{split}/semseg13/*.png' --saliency '{split}/saliency/*.png' "
    "--tags tags.json --split train,test",
    "horses": "--image '{split}/rgb/*.jpg' --saliency '{split}/saliency/*.png' --split train,test",
    "tools_rgbd": "--image '{split}/rgb/*.*' --semantic '{split}/semseg/*.png' --depth '{split}/depth/*.png' "
    "--split train,test",
    "wbcatt": "--image '{split}/rgb/*.jpg' --cell '{split}.csv:label' --traits '{split}.csv:*' --split train,val,test",
}
TASKS = {
    "nyuv2": {"semantic": {"kind": "segmentation", "classes": 13}, "depth": {"kind": "depth"},
              "normals": {"kind": "normals", "negate": "yz"}},
    "camvid": {"semantic": {"kind": "segmentation", "classes": 11}},
    "ccp": {"semantic": {"kind": "segmentation", "classes": 13}, "saliency": {"kind": "saliency"},
            "tags": {"kind": "tags", "classes": 59}},
    "horses": {"saliency": {"kind": "saliency"}},
    "tools_rgbd": {"semantic": {"kind": "segmentation", "classes": 6}, "depth": {"kind": "depth"}},
    "wbcatt": {"cell": {"kind": "category", "classes": []}, "traits": {"kind": "tags", "classes": []}},
}  # fmt: skip
UNLABELLED = {"ccp": {"semantic": 400, "saliency": 400}, "tools_rgbd": {"depth": 84}}


def tasks_of(name):
    sections = TASKS[name]
    if name == "wbcatt":
        meta = json.loads(shared("data/wbcatt/meta.json").read_text())
        values = meta["attributes"]
        sections["cell"]["classes"] = meta["classes"]
        sections["traits"]["classes"] = [f"{trait}={value}" for trait in values for value in values[trait]]
    return Recipe.of({"data": {"table": "t.csv"}, "tasks": sections}).tasks()


@pytest.mark.parametrize("name", LINES)
def test_a_set_is_read_by_ordinary_flags(name, tmp_path):
    folder, out = shared(f"data/{name}"), tmp_path / "t.csv"
    assert main(["table", str(folder), *shlex.split(LINES[name]), "--out", str(out)]) == 0
    tasks = tasks_of(name)
    dataset = TableDataset(read_table(out), tasks)
    blank = (~dataset.labelled()).sum(0).tolist()
    assert dict(zip(tasks, blank, strict=True)) == dict.fromkeys(tasks, 0) | UNLABELLED.get(name, {})
    for index in range(0, len(dataset), len(dataset) // 4):
        sample = dataset[index]
        for task, labelled in zip(tasks, dataset.labelled()[index], strict=True):
            assert bool(sample.targets[task].known().any()) == bool(labelled)


def test_derived_normals_agree_with_those_of_a_real_set(tmp_path):
    out = tmp_path / "t.csv"
    assert main(["table", str(shared("data/nyuv2")), *shlex.split(LINES["nyuv2"]), "--out", str(out)]) == 0
    dataset = TableDataset(read_table(out), tasks_of("nyuv2"))
    angles = []
    for index in (0, 700):
        sample = dataset[index]
        derived = normals_from_depth(sample.targets["depth"], sample.intrinsics, window=9)
        given = sample.targets["normals"].as_subclass(Tensor)
        cosine = (derived * given).sum(0)
        angles.append(torch.rad2deg(cosine[~cosine.isnan()].clamp(-1, 1).acos()))
    assert torch.cat(angles).median() < 5
