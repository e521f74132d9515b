"""Several opinions made one, against sums written out."""

import math

import pytest
import torch

from crosstask.tasks import Category, Depth, Disparity, Normals, Regression, Saliency, Segmentation, Tagging

NAN = float("nan")


def test_classes_have_the_mean_probability():
    views = torch.tensor([[[0.6], [0.4], [0.0]], [[0.1], [0.8], [0.1]]])[..., None]  # (V, C, H, W)
    fused = Segmentation("s", classes=3).fuse(views)
    assert fused.value.tolist() == [[1]]
    assert fused.confidence.item() == pytest.approx(0.6)
    category = Category("c", classes=3).fuse(views[:, :, 0, 0])
    assert (category.value.item(), category.confidence.item()) == (1, pytest.approx(0.6))


def test_depths_have_the_geometric_mean_and_less_weight_where_they_disagree():
    for task in (Depth("d"), Disparity("d")):
        views = torch.tensor([1.0, 4.0]).reshape(2, 1, 1, 1)
        fused = task.fuse(views)
        assert fused.value.item() == pytest.approx(2.0)
        assert fused.confidence.shape == (1, 1)
        assert fused.confidence.item() == pytest.approx(1 / (1 + math.log(2) ** 2 / 0.01))
        apart = task.fuse(torch.tensor([math.exp(-0.1), math.exp(0.1)]).reshape(2, 1, 1, 1))
        assert apart.confidence.item() == pytest.approx(0.5, abs=1e-5)
        assert task.fuse(views[:1]).confidence.item() == 1


def test_what_is_no_length_is_unknown_and_without_weight():
    views = torch.tensor([[-0.3, 2.0, -1.0, 0.0, NAN, 999.0], [-0.05, 2.0, 2.0, 2.0, 2.0, 1001.0]])[:, None, None]
    for task, known in ((Depth("d"), [False, True, False, False, True, False]),
                        (Disparity("d"), [False, True, False, False, True, True])):  # fmt: skip
        fused = task.fuse(views)
        assert task.known(fused.value).flatten().tolist() == known
        assert fused.value[0, 0, [1, 4]].tolist() == pytest.approx([2.0, 2.0])
        assert (fused.confidence[0] > 0).tolist() == known


def test_normals_have_the_direction_of_the_mean_and_its_length():
    views = torch.tensor([[1.0, 0, 0], [0, 0, 1]]).reshape(2, 3, 1, 1)
    fused = Normals("n").fuse(views)
    torch.testing.assert_close(fused.value.flatten(), torch.tensor([1.0, 0, 1]) / math.sqrt(2))
    assert fused.confidence.item() == pytest.approx(math.sqrt(0.5))
    opposed = Normals("n").fuse(torch.cat([views[:1], -views[:1]]))
    assert opposed.value.isnan().all()
    assert opposed.confidence.item() == 0


def test_probabilities_have_their_mean_and_the_chance_to_be_right():
    fused = Saliency("s").fuse(torch.tensor([0.1, 0.3]).reshape(2, 1, 1, 1))
    assert (fused.value.item(), fused.confidence.item()) == (pytest.approx(0.2), pytest.approx(0.8))
    tags = Tagging("t", classes=2).fuse(torch.tensor([[0.1, 0.9], [0.3, 0.9]]))
    torch.testing.assert_close(tags.value, torch.tensor([0.2, 0.9]))
    torch.testing.assert_close(tags.confidence, torch.tensor([0.8, 0.9]))


def test_numbers_are_half_as_sure_where_they_spread_by_a_tenth_of_their_range():
    task = Regression("r", names=2, ranges=[(0, 10), (-1, 1)])
    fused = task.fuse(torch.tensor([[4.0, 0.5], [6.0, 0.5]]))
    torch.testing.assert_close(fused.value, torch.tensor([5.0, 0.5]))
    torch.testing.assert_close(fused.confidence, torch.tensor([0.5, 1.0]))


def test_an_opinion_may_be_missing_and_nothing_is_known_without_any():
    for task, unknown in (
        (Depth("d"), "nan"),
        (Normals("n"), "nan"),
        (Saliency("s"), "nan"),
        (Segmentation("s", classes=2), "-1"),
    ):
        one = torch.full((2, task.channels, 1, 2), NAN)
        one[0, :, :, 0] = 0.5
        if task.kind == "normals":
            one[0, :, 0, 0] = torch.tensor([0.0, 0, 1])
        fused = task.fuse(one)
        assert task.known(fused.value).flatten().tolist() == [True, False]
        assert fused.confidence.flatten()[1] == 0
        assert fused.confidence.flatten()[0] > 0
        assert str(fused.value.flatten()[-1].item()) == unknown
