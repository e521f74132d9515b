"""The recipes with few masks train, with every patch made for them, and log the quality of their pseudo-labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crosstask.cli import main
from crosstask.construct import construct
from crosstask.data.adapters import ADAPTERS, convert
from crosstask.data.table.table import read_table, write_table
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from tests.data.adapters import fake_voc
from tests.shared import shared

PATCHES = [
    "mean_teacher_ramp", "fixmatch", "unimatch", "cutmix_seg", "spaces_cross", "spaces_logit", "spaces_representation",
    "spaces_as_published", "spaces_as_released",
]  # fmt: skip
PATTERNS = {"image": "{split}/rgb/*.jpg", "semantic": "{split}/semseg/*.png"}
SHORT = ["--training.iterations", "3", "--training.batch_size", "4", "--training.evaluate_every", "3",
         "--training.log_every", "3", "--data.workers", "0", "--data.size", "[48, 64]",
         "--data.evaluation_size", "[48, 64]", "--network.encoder", "small",
         "--network.pretrained", "false"]  # fmt: skip


@pytest.fixture(scope="module")
def camvid(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("camvid") / "camvid.csv"
    patterns = [f"--{column}={pattern}" for column, pattern in PATTERNS.items()]
    assert main(["table", str(shared("data/camvid")), "--out", str(path), "--split", "train,val,test", *patterns]) == 0
    return path


def trained(name: str, table: Path, run: Path, *overrides: str) -> dict:
    """The last line about training in the log of a short run."""
    recipe = Recipe.load(name, ["--data.table", str(table), *SHORT, *overrides])
    assert Experiment(recipe, run, quiet=True).fit().iteration == 3
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return next(record for record in records if record["kind"] == "train")


@pytest.mark.parametrize("patch", PATCHES)
def test_camvid_trains_with_every_patch(patch, camvid, tmp_path):
    record = trained(f"camvid_semi+{patch}", camvid, tmp_path / "run")
    assert record["counts"]["supervised/semantic"] > 0
    own = [name for name in record["terms"] if not name.startswith("supervised")]
    assert all(record["terms"][name] is not None for name in own)
    measures = {name.rsplit("/", 1)[1] for name in record["measures"]}
    assert {"coverage", "miou"} <= measures  # the masks that are hidden from training measure the pseudo-labels


def test_camvid_goes_in_rounds(camvid, tmp_path):
    small = replace(read_table(camvid), rows=read_table(camvid).rows[:40])  # the training split comes first
    test = [row for row in read_table(camvid).rows if row["split"] == "test"][:2]
    table = write_table(replace(small, rows=[*small.rows, *test]).rebased(tmp_path / "few.csv")).path
    out = tmp_path / "rounds"
    assert main(["refine", "camvid_rounds", "--data.table", str(table), *SHORT, "--out", str(out), "--quiet"]) == 0
    rows = [row for row in read_table(out / "labels_1" / "table.csv").rows if row["split"] == "train"]
    assert sum(not row["semantic.source"] for row in rows) == 5  # an eighth
    assert all(row["semantic"] for row in rows)
    record = json.loads((out / "round_1" / "metrics.jsonl").read_text().splitlines()[0])
    assert record["counts"]["made_labels/semantic"] > 0
    assert record["counts"]["supervised/semantic"] > 0


def test_voc_trains_on_a_fake_copy_with_a_published_list(tmp_path):
    fake_voc.write(tmp_path / "voc")
    table = tmp_path / "voc.csv"
    convert(construct(ADAPTERS["voc"], {}, "voc", root=str(tmp_path / "voc")), table, workers=1)
    (tmp_path / "labelled.txt").write_text("\n".join(fake_voc.TRAIN[:2]))
    few = construct(ADAPTERS["lists"], {"labelled": str(tmp_path / "labelled.txt")}, "lists", root=str(table))
    convert(few, tmp_path / "few.csv", workers=1)
    record = trained(
        "voc_semi", tmp_path / "few.csv", tmp_path / "run",
        "--network.encoder", "resnet18", "--network.pretrained", "false", "--training.accelerator", "cpu",
    )  # fmt: skip
    assert record["counts"]["supervised/semantic"] > 0
    assert record["terms"]["spaces/contrast"] > 0


@pytest.mark.slow
def test_voc_trains_with_the_network_of_the_paper(tmp_path):
    fake_voc.write(tmp_path / "voc")
    convert(construct(ADAPTERS["voc"], {}, "voc", root=str(tmp_path / "voc")), tmp_path / "voc.csv", workers=1)
    record = trained(
        "voc_semi", tmp_path / "voc.csv", tmp_path / "run",
        "--network.pretrained", "false", "--data.labels", "fraction:0.5",
    )  # fmt: skip
    assert record["terms"]["spaces/contrast"] > 0


def test_nyuv2_trains(tmp_path):
    path = tmp_path / "nyuv2.csv"
    patterns = ["--image={split}/rgb/*.jpg", "--semantic={split}/semseg13/*.png"]
    assert main(["table", str(shared("data/nyuv2")), "--out", str(path), "--split", "train,test", *patterns]) == 0
    record = trained("nyuv2_semi", path, tmp_path / "run", "--objectives", "supervised,spaces")
    assert record["measures"]["spaces/logit/semantic/miou"] > 0
