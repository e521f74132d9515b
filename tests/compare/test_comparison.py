"""From finished cells to tables, on numbers chosen by hand."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from crosstask.compare.comparison import Comparison, compare
from crosstask.compare.grid import Cell
from crosstask.compare.markdown import markdown
from crosstask.compare.statements import prices, statements
from crosstask.compare.tables import records_of, write_tables
from tests.compare.made import NAN, grid, measured

SEEDS = [0, 1, 2]
IOU = {
    ("supervised", "one"): [20.0, 22.0, 24.0],
    ("a", "one"): [25.0, 27.0, 29.5],  # +5, +5, +5.5
    ("supervised", "full"): [30.0, 32.0, 34.0],  # the gap is 10
    ("a", "full"): [30.0, 31.0, 35.0],
    ("single", "one"): [40.0, 44.0, 48.0],
}
ERROR = {
    ("supervised", "one"): [1.0, 1.0, 1.0],
    ("a", "one"): [1.5, 1.5, 1.6],
    ("supervised", "full"): [0.9, 1.0, 1.1],
    ("a", "full"): [0.9, 1.0, 1.1],
    ("single", "one"): [2.0, 2.0, 2.0],
}
SECONDS = {"supervised": 1.0, "a": 1.5, "single": 2.0}


@pytest.fixture
def comparison() -> Comparison:
    asked = grid(["supervised", "a", "single"], ["one", "full"], SEEDS)
    cells = []
    for cell in asked.cells:
        if (cell.method, cell.labels) in IOU:
            iou, error = IOU[cell[:2]][cell.seed], ERROR[cell[:2]][cell.seed]
            labels = 10 if cell.labels == "full" else 3
            cells.append(measured(cell, iou, error, SECONDS[cell.method], 100 * len(cell.method), labels))
    return compare(asked, cells)


def row(rows, **wanted):
    found = [each for each in rows if all(getattr(each, key) == value for key, value in wanted.items())]
    assert len(found) == 1
    return found[0]


def test_scores(comparison):
    score = row(comparison.scores, labels="one", method="a", task="semantic")
    assert score.mean == pytest.approx(81.5 / 3)
    assert score.difference.mean == pytest.approx(15.5 / 3)
    half = 4.302653 * math.sqrt(0.25 / 3) / math.sqrt(3)  # sd of 5, 5, 5.5 is sqrt(1/12)
    assert score.difference.interval == pytest.approx((15.5 / 3 - half, 15.5 / 3 + half), abs=1e-5)
    assert score.difference.bootstrap == pytest.approx((5.0, 5.5))
    assert score.difference.verdict == "better"
    assert score.recovered.fraction == pytest.approx(15.5 / 30)
    depth = row(comparison.scores, labels="one", method="a", task="depth")
    assert depth.difference.verdict == "worse"  # less is better, and it is more
    assert math.isnan(depth.recovered.fraction)  # full labels are not shown to differ
    assert row(comparison.scores, labels="full", method="a", task="semantic").recovered is None
    assert row(comparison.scores, labels="one", method="supervised", task="depth").difference is None


def test_p_is_corrected_for_the_number_of_comparisons(comparison):
    semantic = row(comparison.scores, labels="one", method="a", task="semantic")
    depth = row(comparison.scores, labels="one", method="a", task="depth")
    compared = [each for each in comparison.scores if each.difference is not None and each.primary]
    assert len(compared) == 6  # a and single with one label, a with all, two tasks each
    by_p = sorted(each.difference.p for each in compared)
    assert semantic.corrected == pytest.approx(
        max((6 - i) * p for i, p in enumerate(by_p[: by_p.index(semantic.difference.p) + 1]))
    )
    assert depth.difference.p < semantic.corrected
    assert math.isnan(row(comparison.scores, labels="one", method="supervised", task="depth").corrected)
    said = " ".join(statements(comparison))
    assert "Of 6 comparisons about 0.3" in said
    assert "corrected for their number (Holm), " in said


def test_gains_over_both_baselines(comparison):
    over = {(gain.labels, gain.method, gain.difference.baseline): gain.difference for gain in comparison.gains}
    assert set(over) == {
        ("one", "supervised", "single"), ("one", "a", "supervised"), ("one", "a", "single"),
        ("one", "single", "supervised"), ("full", "a", "supervised"),
    }  # fmt: skip
    by_seed = [(25 - 50) / 2, (500 / 22 - 50) / 2, (550 / 24 - 60) / 2]
    assert over["one", "a", "supervised"].mean == pytest.approx(sum(by_seed) / 3)
    assert over["one", "supervised", "single"].mean == pytest.approx((-50 + 50) / 2)


def test_costs_are_relative_to_supervised(comparison):
    cost = row(comparison.costs, labels="one", method="a")
    assert (cost.seconds, cost.relative_seconds) == (1.5, 1.5)
    assert cost.relative_memory == pytest.approx(1 / 10)


def test_points_of_the_label_efficiency_curve(comparison):
    points = {each.labels: each for each in comparison.points if (each.method, each.task) == ("a", "semantic")}
    assert {labels: each.count for labels, each in points.items()} == {"one": 3, "full": 10}
    assert points["full"].mean == 32.0


def test_missing_cells_are_counted_not_guessed(comparison):
    assert len(comparison.missing) == 3
    assert "3 of 18 cells are not finished" in statements(comparison)[-1]


def test_only_seeds_that_both_have_are_paired():
    asked = grid(["supervised", "a"], ["one"], SEEDS)
    cells = [measured(Cell("supervised", "one", seed), 10.0 * seed, 1.0) for seed in (0, 1)]
    cells += [measured(Cell("a", "one", seed), 10.0 * seed + 1, 1.0) for seed in (1, 2)]
    score = row(compare(asked, cells).scores, method="a", task="semantic")
    assert (score.mean, score.seeds) == (16.0, [1, 2])
    assert (score.difference.mean, score.difference.seeds) == (1.0, [1])
    assert score.difference.verdict == "not shown"


def test_one_seed_shows_nothing():
    asked = grid(["supervised", "a"], ["one"], [0])
    made = compare(asked, [measured(Cell("supervised", "one", 0), 1.0, 1.0), measured(Cell("a", "one", 0), 9.0, 0.1)])
    said = " ".join(statements(made))
    assert "one seed cannot show anything" in said
    assert "better on" not in said
    assert "n/a" in markdown(made)


def test_what_nobody_measured_is_not_a_number():
    asked = grid(["supervised", "a"], ["one"], SEEDS)
    made = compare(asked, [measured(cell, NAN, 1.0, memory=None) for cell in asked.cells])
    score = row(made.scores, method="a", task="semantic")
    assert math.isnan(score.mean)
    assert score.difference.verdict == "not shown"
    assert row(made.gains, method="a").difference.mean == 0
    assert "n/a" in markdown(made)
    assert all(
        record["mean"] == record["mean"] or record["task"] == "semantic" for record in records_of(made)["scores"]
    )


def test_sentences_say_better_only_with_an_interval(comparison):
    said = statements(comparison)
    assert "better on semantic; worse on depth" in next(line for line in said if line.startswith("labels one, a "))
    full = next(line for line in said if line.startswith("labels full, a "))
    assert "better" not in full
    assert "worse" not in full


def test_files_hold_every_number_with_protocol_and_command(comparison, tmp_path):
    paths = {path.name: path for path in write_tables(comparison, tmp_path)}
    rows = list(csv.DictReader(io.StringIO(paths["scores.csv"].read_text())))
    found = next(each for each in rows if (each["labels"], each["method"], each["task"]) == ("one", "a", "semantic"))
    assert float(found["difference"]) == pytest.approx(15.5 / 3)
    assert found["more_is"] == "better"
    assert found["protocol"].startswith("made up; images 1, split test, weights last")
    assert found["command"] == (
        "crosstask compare made.yaml --objectives a --labels one,full --seeds 0,1,2 --out again"
    )
    content = json.loads(paths["comparison.json"].read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content["scores"][0]["difference"] is None
    gain = next(each for each in content["gains"] if (each["method"], each["baseline"]) == ("a", "single"))
    assert "--objectives a,single" in gain["command"]
    assert "| a | +" not in paths["comparison.md"].read_text().split("## Labels: full")[0].split("Delta to")[0]
    assert "| a | depth | abs ↓ | 3 | 1.533 ± 0.058 | +0.533 |" in paths["comparison.md"].read_text()


def test_a_comparison_without_runs_has_empty_tables(tmp_path):
    made = compare(grid(["supervised"], ["one"], [0]), [])
    assert made.scores == []
    write_tables(made, tmp_path)


def test_a_method_may_have_one_task_more_or_less_than_its_baseline(comparison, tmp_path):
    asked = grid(["supervised", "more", "less"], ["one", "full"], SEEDS)
    cells = [measured(cell, 20.0 + cell.seed + (cell.labels == "full"), 1.0) for cell in asked.cells]
    for each in cells:
        if each.cell.method == "more":
            each.tasks["place"] = each.tasks["semantic"]
            each.labels["place"] = 5
        if each.cell.method == "less":
            del each.tasks["depth"]
    made = compare(asked, cells)
    alone = row(made.scores, method="more", task="place", labels="one")
    assert (alone.mean, alone.difference.seeds, alone.difference.verdict) == (21.0, [], "not shown")
    assert row(made.gains, method="less", labels="one").difference.mean == 0
    assert "place: miou" in markdown(made)
    write_tables(made, tmp_path)
    assert prices(made)


def test_what_is_won_back_is_said_where_there_is_a_gap(comparison):
    (said,) = prices(comparison)["one"]
    assert "a wins back 52% in semantic and n/a in depth" in said  # all labels are not shown to differ in depth
    asked = grid(["supervised", "a"], ["one", "full"], [0])
    values = {("supervised", "one"): 20.0, ("a", "one"): 25.0, ("supervised", "full"): 30.0, ("a", "full"): 30.0}
    (said,) = prices(compare(asked, [measured(cell, values[cell[:2]], NAN) for cell in asked.cells]))["one"]
    assert "a wins back 50% in semantic." in said
    assert "depth" not in said
