"""What is drawn of the log of a run."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from crosstask.report.curves import averaged, curve_charts, smoothed
from crosstask.report.subject import Source, Subject


def test_smoothing_averages_neighbours():
    assert smoothed([(1, 1.0), (2, 3.0), (3, 5.0), (4, 9.0)], most=2) == [(2, 2.0), (4, 7.0)]
    assert smoothed([(1, 1.0)], most=2) == [(1, 1.0)]
    assert smoothed([]) == []


def test_curves_are_averaged_where_all_are_known():
    assert averaged([[(1, 1.0), (2, 2.0)], [(1, 3.0)]]) == [(1, 2.0)]


@pytest.fixture
def subject(tmp_path) -> Subject:
    """Two seeds of one method, logged twice."""
    sources = []
    for seed in (0, 1):
        run = tmp_path / str(seed)
        run.mkdir()
        records = [
            {"kind": "train", "iteration": 10, "terms": {"pseudo": 2.0 + seed}, "measures": {"coverage": None}},
            {"kind": "validation", "iteration": 10, "metrics": {"semantic/miou": 20.0}},
            {"kind": "train", "iteration": 20, "terms": {"pseudo": 1.0 + seed}, "measures": {"coverage": 0.5 + seed}},
        ]
        (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)))
        sources.append(Source("one", "mix", seed, {"semantic": run}, {}, "last"))
    return Subject(tmp_path, sources)


def test_losses_metrics_and_measures_are_drawn_the_mean_over_seeds(subject):
    (charts,) = curve_charts(subject)
    drawn = (*charts.losses, *charts.metrics, *charts.measures)
    said = [ElementTree.fromstring(svg).get("aria-label") for svg in drawn]
    assert said == [
        "pseudo over iteration: mix ends at 1.5",
        "semantic/miou over iteration: mix ends at 20",
        "coverage over iteration: mix ends at 1",
    ]
