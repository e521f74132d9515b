"""Regions that are too small to be compared are told of."""

import logging

import pytest
import torch

from crosstask.objectives.region_contrast.size import SizeWatch
from crosstask.ops.regions import index_regions
from tests.objectives.region_contrast.test_region_contrast import ONE_EACH, objective_of, step_of

LARGE = torch.zeros(1, 4, 6, dtype=torch.int64)
SMALL = torch.arange(24).view(1, 4, 6)


def looked(caplog, *batches, minimum=2):
    watch, shares = SizeWatch(minimum), []
    with caplog.at_level(logging.WARNING):
        for ids in batches:
            watch.look(ids, index_regions(ids, minimum=minimum))
            shares.append(watch.read())
    return shares, [record.getMessage() for record in caplog.records]


def test_a_word_once_where_most_is_left_out(caplog):
    shares, (told,) = looked(caplog, LARGE, SMALL, SMALL)
    assert shares == [{"kept": 1}, {"kept": 0}, {"kept": 0}]
    assert told.startswith("objectives.region_contrast: 100 % of the pixels lie in regions of fewer than minimum = 2")
    assert "at 4 x 6" in told


def test_half_is_enough(caplog):
    half = SMALL.clone()
    half[:, :2] = 30
    assert looked(caplog, half) == ([{"kept": pytest.approx(0.5)}], [])


def test_pixels_outside_of_regions_do_not_count(caplog):
    assert looked(caplog, LARGE.index_fill(1, torch.tensor([0, 1, 2]), -1)) == ([{"kept": 1}], [])
    assert looked(caplog, LARGE - 1) == ([{}], [])


def test_the_objective_tells(caplog):
    objective = objective_of(minimum=10, reduce=2)  # 12 pixels, 3 in each region
    assert objective(step_of(ONE_EACH))["regions"].count == 0
    assert objective.measures() == {"kept": 0}
    assert "minimum = 10 pixels at 3 x 4" in caplog.text
    assert objective.measures() == {}
