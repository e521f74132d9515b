"""Scales of pictures: the range that colours stand for."""

from __future__ import annotations

import pytest
import torch

from crosstask.tasks import KINDS
from crosstask.tasks.pictures import linear_legend, percentiles, ramped

NAN = float("nan")


def room(outliers: int = 0, value: float = 1e-3) -> torch.Tensor:
    """Depths from 1 to 4 metres, some of them replaced."""
    depth = torch.linspace(1, 4, 10_000).reshape(1, 100, 100)
    depth.view(-1)[torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:outliers]] = value
    return depth


def ends(values: torch.Tensor) -> tuple[float, float]:
    within = percentiles([values])
    assert within is not None
    return within.low, within.high


def test_the_range_is_that_of_nearly_all_values():
    assert ends(room()) == pytest.approx((1.03, 3.97), rel=0.01)
    assert percentiles([torch.full((1, 2, 2), NAN)]) is None
    assert ends(torch.full((1, 2, 2), 3.0)) == pytest.approx((3.0, 6.0))


@pytest.mark.parametrize("outlier", [1e-3, 1e4])
def test_outliers_do_not_stretch_it(outlier):
    clean = ends(room())
    low, high = ends(room(800, outlier))
    assert low > clean[0] / 3
    assert high < clean[1] * 3


def test_colours_of_most_pixels_stay_with_outliers():
    task = KINDS["depth"]("depth")
    with_outliers, clean = task.picture(room(800)).float(), task.picture(room()).float()
    used = [len(picture.flatten(1).T.unique(dim=0)) for picture in (with_outliers, clean)]
    assert used[0] > used[1] / 3


def test_a_range_of_several_maps_is_one():
    task = KINDS["depth"]("depth")
    within = task.range_of([room(), 2 * room()])
    assert task.legend([room()], within) == task.legend([2 * room()], within)


def test_the_bar_of_errors_has_ends_with_units():
    legend = linear_legend(0.35, "m", "difference")
    assert (legend.low, legend.high, legend.note) == ("0 m", "0.35 m and more", "difference")
    assert linear_legend(30.0, "°", "angle").high == "30° and more"
    ends = ramped(torch.tensor([0.0, 1.0])).T.tolist()
    assert [list(legend.bar[0]), list(legend.bar[-1])] == ends


@pytest.mark.parametrize("kind", ["segmentation", "depth", "disparity", "normals", "saliency"])
def test_errors_are_zero_where_a_prediction_is_right_and_unknown_where_the_label_is(kind):
    options = {"classes": 3} if kind == "segmentation" else {}
    task = KINDS[kind]("x", **options)
    assert task.error_name
    torch.manual_seed(0)
    prediction = torch.rand(1, task.channels, 4, 5) + 0.5
    value = task.decide(prediction)
    target = value.clone()
    unknown = torch.zeros(1, 4, 5, dtype=torch.bool)
    unknown[0, 1, 2] = True
    target = target.masked_fill(
        unknown if target.ndim == 3 else unknown[:, None], -1 if kind == "segmentation" else NAN
    )
    error = task.error(prediction, target)
    assert error.shape == (1, 4, 5)
    assert (error.isnan() == unknown).all()
    if kind not in ("segmentation", "saliency"):  # whose probabilities are never 0 or 1
        assert error.nan_to_num(0).abs().max() < 0.1
    assert (error.nan_to_num(0) >= 0).all()
