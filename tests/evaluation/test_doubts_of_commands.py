"""What train, eval and report say of a run that learned nothing, each of them of each kind, without being asked."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.evaluation.results import Results
from tests.tiny import write_tiny

ONE_CLASS = r"semantic: 'floor' is the only class that is ever right, of 3 that occur"
PRIOR = r"semantic: miou [\d.]+ is not better than [\d.]+ of a predictor that never looks at the image"
NEVER = r"depth.*never validated|never validated: depth"
TERM = r"objectives\.geometry: (normals_from_depth|depth_from_normals) was nothing in"
DOUBTS = {"one class": ONE_CLASS, "prior": PRIOR, "never validated": NEVER, "term": TERM}


def nearly_one_class(folder: Path, count: int = 12) -> Path:
    """Nearly all pixels are floor, whatever the image shows; depth has labels in the training split alone, and no
    camera is known."""
    table = read_table(write_tiny(folder, count))
    rng = np.random.default_rng(0)
    rows = []
    for index, row in enumerate(table.rows):
        mask = np.where(rng.random((32, 48)) < 0.97, 0, rng.integers(1, 3, (32, 48))).astype(np.uint8)
        Image.fromarray(mask).save(folder / row["semantic"])
        split = ("train", "train", "val", "test")[index % 4]
        rows.append(row | {"split": split, "depth": row["depth"] if split == "train" else ""})
    return write_table(Table(table.path, table.columns, rows)).path


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, str]:
    """What each command said."""
    folder = tmp_path_factory.mktemp("doubts")
    recipe = {
        "data": {"table": str(nearly_one_class(folder)), "size": [32, 48], "workers": 0, "validation_fraction": 0},
        "tasks": {
            "semantic": {"kind": "segmentation", "classes": ["floor", "wall", "box"]},
            "depth": {"kind": "depth"},
            "normals": {"kind": "normals"},
        },
        "network": {"encoder": "small", "encoder_options": {"width": 4}},
        "objectives": {"supervised": {}, "geometry": {}},
        "training": {"iterations": 12, "batch_size": 4, "lr": 0.02, "log_every": 2, "accelerator": "cpu"},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    run, said = folder / "run", {}
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger("crosstask").addHandler(handler)
    assert main(["train", str(folder / "recipe.yaml"), "--out", str(run), "--quiet"]) == 0
    logging.getLogger("crosstask").removeHandler(handler)
    said["train"] = heard.getvalue()
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *text, **_: lines.append(" ".join(map(str, text))))
        assert main(["eval", str(run), "--quiet", "--json"]) == 0
    said["eval"] = "\n".join(lines)
    assert main(["report", str(run)]) == 0
    said["report"] = re.sub(r"&#39;|&#x27;", "'", (run / "report.html").read_text())
    prior = Results.load(run / "prior_test.json")
    assert prior.settings["split"] == "test"
    assert prior.tasks["semantic"].score > 25
    return said


@pytest.mark.parametrize("doubt", DOUBTS)
@pytest.mark.parametrize("command", ["train", "eval", "report"])
def test_it_is_said(command, doubt, told):
    assert re.search(DOUBTS[doubt], told[command]), told[command][-2000:]


def test_a_prior_of_a_sample_knows_every_task(tmp_path):
    from crosstask.data.loading.dataset import TableDataset
    from crosstask.evaluation.prior import sample
    from crosstask.recipe import Recipe
    from tests.tiny import write_recipe

    path = write_tiny(tmp_path, 12)
    table = read_table(path)
    rows = [row | ({} if index == 7 else {"depth": ""}) for index, row in enumerate(table.rows)]
    tasks = Recipe.load(str(write_recipe(tmp_path, path))).tasks()
    chosen = sample(TableDataset(Table(path, table.columns, rows), tasks), 3)
    assert chosen.labelled().sum(0).tolist()[1] == 1
    assert 3 <= len(chosen) <= 4
    assert "007" in chosen.ids


def test_labels_that_are_gone_are_no_reason_to_fail_unless_the_prior_was_asked_for(tmp_path, capsys):
    from tests.tiny import write_recipe

    path = write_tiny(tmp_path)
    run = tmp_path / "run"
    assert main(["train", str(write_recipe(tmp_path, path)), "--out", str(run), "--quiet"]) == 0
    other = write_table(read_table(path), tmp_path / "other.csv").path
    path.unlink()
    capsys.readouterr()
    options = ["eval", str(run), "--table", str(other), "--split", "test", "--quiet"]
    assert main(options) == 0
    assert "not compared with the prior of the training labels" in capsys.readouterr().err
    assert main([*options, "--prior"]) == 2
