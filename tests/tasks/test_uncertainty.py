"""Measures of doubt against loops over the entries."""

from __future__ import annotations

import math

import pytest
import torch

from crosstask.tasks import KINDS, uncertainty
from tests.tasks.cases import make


def _entropy(probabilities: list[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)


def test_classes_is_entropy_and_mutual_information():
    views = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0)).softmax(1)
    measured = uncertainty.classes(views)
    for pixel in range(5):
        each = [_entropy(views[view, :, pixel].tolist()) for view in range(3)]
        whole = _entropy(views[:, :, pixel].mean(0).tolist())
        assert float(measured["entropy"][pixel]) == pytest.approx(whole / math.log(4), abs=1e-5)
        information = (whole - sum(each) / 3) / math.log(4)
        assert float(measured["mutual_information"][pixel]) == pytest.approx(information, abs=1e-5)


def test_shares_lengths_directions_numbers():
    views = torch.tensor([[0.2, 0.9], [0.6, 0.9]])
    mean = _entropy([0.4, 0.6])
    assert float(uncertainty.shares(views)["entropy"][0]) == pytest.approx(mean / math.log(2), abs=1e-5)
    assert float(uncertainty.shares(views)["mutual_information"][1]) == pytest.approx(0, abs=1e-5)
    doubled = torch.tensor([[1.0, 3.0], [2.0, 3.0]])
    assert uncertainty.lengths(doubled)["deviation"].tolist() == pytest.approx([math.log(2) / 2, 0], abs=1e-6)
    impossible = torch.tensor([[-0.3, -0.3, 0.0], [-0.05, 2.0, 0.0]])
    assert uncertainty.lengths(impossible)["deviation"].tolist() == [1, 1, 1]
    apart = torch.tensor([[1.0, 0, 0], [0, 1, 0]])[..., None]
    assert float(uncertainty.directions(apart)["divergence"]) == pytest.approx(1 - math.sqrt(0.5), abs=1e-6)
    assert float(uncertainty.numbers(torch.tensor([[1.0], [3.0]]), 2.0)["deviation"]) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_numbers_in_the_shape_of_its_entries(kind):
    task = make(kind)
    measures = task.uncertainty(task.activate(_raw(task, 2)))
    shape = task.known(task.decide(_raw(task, 2))).shape[1:]
    assert measures
    for value in measures.values():
        assert value.shape == shape
        assert bool(value.isfinite().all())
        assert float(value.min()) >= 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_views_that_agree_leave_less_open_than_views_that_do_not(kind):
    task = make(kind)
    one, other = _raw(task, 2).split(1)
    same, differing = (task.uncertainty(task.activate(torch.cat([one, view]))) for view in (one, other))
    spread = list(same)[-1]  # entropy comes first where there is one, and a sure view has it too
    assert float(differing[spread].mean()) > float(same[spread].mean()) + 1e-4


def _raw(task, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 1 + torch.rand(count, task.channels, *((4, 6) if task.dense else ()), generator=generator) * 3
