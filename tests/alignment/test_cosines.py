"""Cosines of gradients against finite differences and against objectives whose alignment is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from crosstask.alignment.cosines import PREDICTIONS, WEIGHTS, cosine, hidden_gradients, objective_cosines
from crosstask.data.sample import Batch
from crosstask.tasks.category import Category
from crosstask.tasks.depth import Depth
from crosstask.tasks.segmentation import Segmentation

TASKS = {"semantic": Segmentation("semantic", classes=["floor", "wall", "box"]), "depth": Depth("depth")}


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Conv2d(3, 4, 1)
        self.heads = nn.ModuleDict({name: nn.Conv2d(4, task.channels, 1) for name, task in TASKS.items()})
        nn.init.constant_(self.heads["depth"].bias, 1.5)

    def forward(self, images):
        features = self.trunk(images).tanh()
        return {name: head(features) for name, head in self.heads.items()}


@pytest.fixture
def looked_at():
    """Four images; depth is hidden for the first three, classes for the last."""
    torch.manual_seed(1)
    depth, classes = torch.rand(4, 1, 5, 6) + 1, torch.randint(3, (4, 5, 6))
    hidden = {"depth": depth.clone(), "semantic": classes.clone()}
    hidden["depth"][3] = math.nan
    hidden["semantic"][:3] = -1
    batch = Batch(torch.rand(4, 3, 5, 6), {}, list("abcd"), None, torch.full((4, 4), math.nan), {}, hidden)
    network = Tiny()
    return batch, network, network(batch.images)


def test_what_learns_from_the_hidden_labels_themselves_is_aligned(looked_at):
    batch, network, predictions = looked_at
    parameters = list(network.parameters())
    hidden = hidden_gradients(batch, predictions, TASKS, parameters)
    truth = TASKS["depth"].loss(predictions["depth"][:3], batch.hidden["depth"][:3])
    found = objective_cosines(7 * truth.total, hidden, predictions, parameters)
    assert found["depth", PREDICTIONS][0] == pytest.approx(1)
    assert found["depth", WEIGHTS][0] == pytest.approx(1)
    assert found["depth", PREDICTIONS][1] < 0.99  # labels of other images
    assert math.isnan(found["semantic", PREDICTIONS][0])  # sends nothing there
    assert abs(found["semantic", WEIGHTS][0]) < 1  # but moves the trunk


def test_a_label_of_the_whole_image_is_looked_at_too():
    task = Category("place", classes=["in", "out"])
    features, weight = torch.rand(3, 4), torch.rand(4, 2, requires_grad=True)
    batch = Batch(
        features, {}, list("abc"), None, torch.full((3, 4), math.nan), {}, {"place": torch.tensor([1, -1, 0])}
    )
    predictions = {"place": features @ weight}
    hidden = hidden_gradients(batch, predictions, {"place": task}, [weight])
    truth = task.loss(predictions["place"], torch.tensor([1, -1, 0]))
    found = objective_cosines(truth.total, hidden, predictions, [weight])
    assert found["place", WEIGHTS][0] == pytest.approx(1)


def test_what_works_against_the_hidden_labels_has_minus_one(looked_at):
    batch, network, predictions = looked_at
    parameters = list(network.parameters())
    hidden = hidden_gradients(batch, predictions, TASKS, parameters)
    truth = TASKS["semantic"].loss(predictions["semantic"][3:], batch.hidden["semantic"][3:])
    found = objective_cosines(-truth.total, hidden, predictions, parameters)
    assert found["semantic", PREDICTIONS][0] == pytest.approx(-1)
    assert math.isnan(found["semantic", PREDICTIONS][1])  # one image: no other to take a label from


def test_gradients_on_images_with_a_label_do_not_count(looked_at):
    batch, network, predictions = looked_at
    parameters = list(network.parameters())
    hidden = hidden_gradients(batch, predictions, TASKS, parameters)
    truth = TASKS["depth"].loss(predictions["depth"][:3], batch.hidden["depth"][:3]).total
    elsewhere = 100 * predictions["depth"][3].sum()
    found = objective_cosines(truth + elsewhere, hidden, predictions, parameters)
    assert found["depth", PREDICTIONS][0] == pytest.approx(1)


def test_the_cosine_at_the_weights_is_that_of_finite_differences(looked_at):
    batch, network, predictions = looked_at
    network, images = network.double(), batch.images.double()
    other = lambda made: made["semantic"].square().mean() + made["depth"].sin().mean()  # noqa: E731
    target = batch.hidden["depth"][:3].double()

    def true(made):
        total, count = TASKS["depth"].loss(made["depth"][:3], target)
        return total / count

    parameters = list(network.parameters())
    slopes = []
    for loss in (other, true):
        slope = []
        for parameter in parameters:
            for entry in range(parameter.numel()):
                sides = []
                for step in (1e-6, -1e-6):
                    with torch.no_grad():
                        parameter.view(-1)[entry] += step
                        sides.append(float(loss(network(images))))
                        parameter.view(-1)[entry] -= step
                slope.append((sides[0] - sides[1]) / 2e-6)
        slopes.append(torch.tensor(slope))
    predictions = network(images)
    batch.hidden["depth"] = batch.hidden["depth"].double()
    hidden = hidden_gradients(batch, predictions, {"depth": TASKS["depth"]}, parameters)
    found = objective_cosines(other(predictions), hidden, predictions, parameters)
    assert found["depth", WEIGHTS][0] == pytest.approx(cosine(*slopes), abs=1e-5)


def test_a_loss_without_a_graph_teaches_nothing(looked_at):
    batch, network, predictions = looked_at
    parameters = list(network.parameters())
    hidden = hidden_gradients(batch, predictions, TASKS, parameters)
    found = objective_cosines(torch.zeros(()), hidden, predictions, parameters)
    assert all(math.isnan(value) for pair in found.values() for value in pair)
