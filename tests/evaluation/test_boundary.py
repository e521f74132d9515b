"""Segmentations drawn to the edges of the image when a network is used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from crosstask.evaluation.boundary import DrawnToEdges
from crosstask.evaluation.scale import AtScale
from crosstask.ops.mean_field import mean_field
from tests.training.toys import toy_tasks


class Noisy(nn.Module):
    """The class is the side of the image, black or white, with a third of the pixels wrong; a constant depth."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        side = (images[:, 0] > 0.5).long()
        wrong = torch.rand(side.shape, generator=rng) < 0.33
        logits = nn.functional.one_hot(side ^ wrong, 3).movedim(-1, 1).float()
        return {"semantic": logits, "depth": torch.ones_like(images[:, :1])}


def test_noise_within_surfaces_goes_and_other_tasks_stay():
    tasks = {name: toy_tasks()[name] for name in ("semantic", "depth")}
    images = torch.zeros(1, 3, 24, 32)
    images[..., 16:] = 1
    plain, drawn = Noisy()(images), DrawnToEdges(Noisy(), tasks, 10)(images)
    truth = (images[:, 0] > 0.5).long()
    accuracy = [(outputs["semantic"].argmax(1) == truth).float().mean().item() for outputs in (plain, drawn)]
    assert accuracy[0] < 0.72
    assert accuracy[1] == 1
    assert torch.equal(drawn["depth"], plain["depth"])
    expected = mean_field(plain["semantic"].softmax(1), images, 10)
    torch.testing.assert_close(drawn["semantic"].softmax(1), expected)


def test_each_view_is_drawn_to_the_edges():
    class Seen(Noisy):
        def views(self, images):
            return iter([self(images), {"semantic": torch.zeros(1, 3, 24, 32), "depth": 3 * images[:, :1]}])

    tasks = {name: toy_tasks()[name] for name in ("semantic", "depth")}
    images = torch.rand(1, 3, 24, 32)
    network = DrawnToEdges(Seen(), tasks, 2)
    first, second = AtScale(network, tasks, None).views(images)
    torch.testing.assert_close(first, network(images))
    assert torch.equal(second["depth"], 3 * images[:, :1])
    (only,) = DrawnToEdges(Noisy(), tasks, 2).views(images)
    torch.testing.assert_close(only, first)


def test_it_needs_a_step_and_a_segmentation():
    with pytest.raises(ValueError, match="steps are 0"):
        DrawnToEdges(Noisy(), toy_tasks(), 0)
    with pytest.raises(ValueError, match="refine segmentations"):
        DrawnToEdges(Noisy(), {"depth": toy_tasks()["depth"]}, 3)
