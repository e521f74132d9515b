"""The benchmarks start; what they measure is not looked at."""

from __future__ import annotations

import pytest
import torch

from benchmarks import gpu, steps
from benchmarks.studies import affinity_data
from crosstask.data.table.table import read_table
from tests.shared import shared


@pytest.mark.parametrize("name", steps.CASES)
def test_every_case_of_a_step_can_be_taken(name):
    batch, objectives = steps.one_label_batch(3, (32, 64)), dict(steps.CASES[name].objectives)
    if name == "pairwise_as_published":
        objectives["pairwise"] = {**objectives["pairwise"], "stem": 4, "widths": [4, 4, 4, 4]}
    times = steps.measure({name: steps.training_step({"encoder": "small"}, objectives, batch)}, 1)
    assert [len(each) for each in times.values()] == [1]


def test_without_a_gpu_the_gpu_benchmark_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_dry_run_of_the_gpu_benchmark_measures_every_row(capsys):
    rows = gpu.moments(gpu.SMALL, "cpu") + gpu.distances(gpu.SMALL, "cpu")
    gpu.report(gpu.Device("cpu", gpu.SMALL), rows)
    assert capsys.readouterr().out.count("\n|") == 2 + len(rows)


def test_tags_of_the_clothes_study_are_the_names_of_its_classes(tmp_path):
    affinity_data.prepare(shared("data/ccp").parent, tmp_path, tiny=True)
    cells = [row["tags"] for row in read_table(tmp_path / "ccp.csv").rows]
    assert len(cells) == 9
    assert all({"hair", "skin"} & set(cell.split(";")) for cell in cells)
    assert (tmp_path / "figures.csv").is_file()
