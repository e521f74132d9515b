"""Consistency under scale-crops, where what should come out is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from crosstask.errors import RecipeError
from crosstask.objectives.base import Step
from crosstask.objectives.consistency import ScaleCropConsistency
from tests.training.toys import toy_batch, toy_tasks


class OfColours(nn.Module):
    """Predictions that depend on the colour of each pixel alone; the depth is the same everywhere."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        depth = torch.full_like(images[:, :1], 6.0)
        return {"semantic": images * 3, "depth": depth, "normals": images + 1, "tags": images.mean((2, 3))}


def terms(labelled: list[set[str]], zoom=(2.0,), images: Tensor | None = None):
    batch = toy_batch(labelled, dtype=torch.float32)
    rows, columns = torch.meshgrid(torch.arange(32) / 32, torch.arange(40) / 40, indexing="ij")
    batch.images = torch.stack([rows, columns, rows * columns]).expand(len(labelled), -1, -1, -1).clone()
    network = OfColours()
    objective = ScaleCropConsistency(toy_tasks(), network, zoom)
    step = Step(batch, network, network(batch.images), [], 0, 1, torch.Generator().manual_seed(0))
    assert objective.counts(batch) == {name: term.count for name, term in objective(step).items()}
    return objective(step)


def test_predictions_that_follow_colours_agree_and_a_depth_that_does_not_follow_the_zoom_does_not():
    found = terms([{"tags"}, set(), set()])
    assert found["semantic"].mean() < 1e-4
    assert found["normals"].mean() < 1e-4
    assert found["depth"].mean().item() == pytest.approx((6 - 6 / 2) ** 2)
    assert terms([set()], (1.0,))["depth"].mean() == 0


def test_only_images_without_a_label_of_the_task_count():
    found = terms([{"depth"}, {"semantic"}, set()])
    assert {name: term.count.item() for name, term in found.items()} == {"semantic": 2, "depth": 2, "normals": 3}


def test_the_first_prediction_is_not_learnt_from():
    network = nn.Conv2d(3, 1, 1)
    tasks = {"depth": toy_tasks()["depth"]}
    batch = toy_batch([set()], dtype=torch.float32)
    prediction = network(batch.images).detach().requires_grad_()
    step = Step(batch, lambda images: {"depth": network(images)}, {"depth": prediction}, [], 0, 1, torch.Generator())
    ScaleCropConsistency(tasks, network, (1.5,))(step)["depth"].mean().backward()
    assert prediction.grad is None
    assert network.bias.grad.any()


def test_options_are_checked():
    for zoom in ((0.5, 1.0), (), (float("inf"),)):
        with pytest.raises(RecipeError, match=r"consistency\.zoom: expected numbers from 1"):
            ScaleCropConsistency(toy_tasks(), None, zoom)
    with pytest.raises(RecipeError, match="no dense task"):
        ScaleCropConsistency({"tags": toy_tasks()["tags"]}, None)
