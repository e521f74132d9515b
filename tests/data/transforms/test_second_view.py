"""A second view of each image: labels and regions go with it, and objectives see the right one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors

from crosstask.data.options import DataOptions
from crosstask.data.sample import Sample, collate
from crosstask.data.transforms.chains import augmentation
from crosstask.learner.learner import Learner
from crosstask.objectives.base import Objective
from crosstask.tasks import KINDS, DepthMap, Regions, SemanticMap
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term
from tests.training.toys import ToyNetwork


def sample(number: int, height: int = 24, width: int = 32) -> Sample:
    """Everything says where it comes from: column number in the mask, row number in the regions."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([columns / width, rows / height, torch.full((height, width), 0.5)])
    targets = {
        "semantic": as_target(SemanticMap, columns.long()),
        "depth": as_target(DepthMap, torch.full((1, height, width), 6.0)),
    }
    return Sample(str(number), tv_tensors.Image(image), targets, as_target(Regions, rows.int()))  # fmt: skip


def test_labels_and_regions_follow_each_view():
    rng = torch.Generator().manual_seed(3)
    chain = augmentation((24, 32), (1.0, 1.2, 1.5), flip=0.0, colour=0.0, second_view=True)
    batch = collate([chain(sample(number), rng) for number in range(12)])
    assert batch.view is not None
    assert batch.view.ids == batch.ids
    for view in (batch, batch.view.to("cpu")):
        columns, rows = view.images[:, 0] * 32, view.images[:, 1] * 24
        assert (view.targets["semantic"] - columns).abs().max() < 1.1
        assert view.regions is not None
        assert (view.regions - rows).abs().max() < 1.1
    zooms = 6 / batch.targets["depth"].amax((1, 2, 3))
    both = 6 / batch.view.targets["depth"].amax((1, 2, 3))
    assert {round(zoom, 3) for zoom in zooms.tolist()} == {1.0, 1.2, 1.5}
    assert {round(zoom, 3) for zoom in (both / zooms).tolist()} == {1.0, 1.2, 1.5}
    for first, second in zip(batch.targets["semantic"], batch.view.targets["semantic"], strict=True):
        assert set(second.unique().tolist()) <= set(first.unique().tolist())


class Looking(Objective):
    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first_view, self.seen = first, []

    def forward(self, step) -> dict[str, Term]:
        self.seen = [step.batch, step.predictions["depth"], step.features]
        return {"x": Term.zero(step.predictions["depth"])}

    def counts(self, batch) -> dict[str, Tensor]:
        return {"x": batch.targets["depth"].sum()}


def test_the_labels_learn_from_the_first_view_and_others_from_the_second():
    rng = torch.Generator().manual_seed(3)
    batch = collate([augmentation((24, 32), second_view=True)(sample(number), rng) for number in range(2)])
    network = ToyNetwork({"depth": KINDS["depth"]("depth")})
    learner = Learner(network, {"labels": Looking(first=True), "other": Looking(first=False)})
    learner(batch, 0, 1, rng)
    counts = learner.counts(batch)
    for name, view in (("labels", batch), ("other", batch.view)):
        found, prediction, features = learner.objectives[name].seen
        assert found is view
        torch.testing.assert_close(prediction, network(view.images)["depth"])
        torch.testing.assert_close(features[0], network.features(view.images)[0])
        assert counts[f"{name}/x"] == view.targets["depth"].sum()
    batch.view = None
    learner(batch, 0, 1, rng)
    assert all(objective.seen[0] is batch for objective in learner.objectives.values())


def test_zooms_are_a_range_or_a_list_above_0():
    for zoom in ((0.5, 1.5), (1.0, 1.2, 1.5), (2.0,)):
        assert DataOptions(table="t", zoom=zoom).zoom == zoom
    for zoom in ((1.5, 1.0), (0.0, 1.0), (), (float("inf"),), (1.0, -1.0, 2.0)):
        with pytest.raises(ValueError, match=r"data.zoom must be two (positive )?numbers"):
            DataOptions(table="t", zoom=zoom)
