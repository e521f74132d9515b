from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.objectives import RegionContrast, Step
from crosstask.objectives.region_contrast import DISTANCES, region_contrast
from crosstask.ops.gaussians import index_regions
from tests.shared import shared
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

OPTIONS = {"stem": 4, "widths": (4,), "layers": (1,), "minimum": 1, "temperature": 0.5}


@pytest.mark.parametrize("temperature", [1.0, 5.4])
@pytest.mark.parametrize(("negatives", "name"), [("other", "negcross"), ("any", "negall")])
def test_the_loss_equals_the_papers_equations(temperature, negatives, name):
    with np.load(shared("fixtures/rdc/region_loss.npz")) as given:
        source, target = (torch.from_numpy(given[key]).double() for key in ("x", "y"))
        index = index_regions(torch.from_numpy(given["sam"]).long(), minimum=10)
        expected = float(given[f"paper_LRC_tau{temperature}_{name}"])
    found = region_contrast(source, target, index, temperature, negatives=negatives)
    assert len(index) == 8
    torch.testing.assert_close(float(found.loss), expected, rtol=1e-5, atol=1e-6)
    candidates = 8 if negatives == "other" else 15
    assert found.chance == pytest.approx(math.log(candidates))


def maps(seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    source = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64)
    target = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64)
    regions = torch.arange(48).reshape(1, 6, 8) // 12
    return source, target, index_regions(regions.expand(2, -1, -1))


@pytest.mark.parametrize("distance", DISTANCES)
def test_moving_a_positive_onto_its_anchor_lowers_the_loss(distance):
    source, target, index = maps()
    before = region_contrast(source, target, index, 1.0, DISTANCES[distance]).loss
    moved = target.clone()
    moved[0, :, :1] = source[0, :, :1]
    moved[0, :, 1, :4] = source[0, :, 1, :4]  # pixels 0 to 11: the first region of the first image
    after = region_contrast(source, moved, index, 1.0, DISTANCES[distance]).loss
    assert after[0] < before[0]
    torch.testing.assert_close(after[1], before[1], rtol=1e-4, atol=1e-6)  # the ridge of kl is shared


def test_candidates_across_images_include_every_region():
    source, target, index = maps()
    found = region_contrast(source, target, index, 1.0, across=True)
    assert found.chance == pytest.approx(math.log(8))
    assert (found.loss > region_contrast(source, target, index, 1.0).loss).all()


def setting(labelled, **options):
    tasks = toy_tasks()
    torch.manual_seed(0)
    objective = RegionContrast(tasks, network := ToyNetwork(tasks), **OPTIONS | options)
    batch = toy_batch(labelled, dtype=torch.float32)
    batch.regions = (torch.arange(48).reshape(1, 6, 8) // 12).int().repeat(len(labelled), 1, 1)
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    for prediction in predictions.values():
        prediction.retain_grad()
    return objective, Step(batch, network, predictions, features, 0, 10)


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradient_reaches_predictions_and_every_mapping_parameter(distance):
    # the released code fails this: its loss is a constant
    objective, step = setting([{"semantic"}, {"depth"}, {"normals"}], distance=distance)
    term = objective(step)["regions"]
    assert term.count == 6
    term.mean().backward()
    for name, image in (("depth", 0), ("normals", 0), ("semantic", 1), ("normals", 1), ("semantic", 2), ("depth", 2)):
        assert step.predictions[name].grad[image].any(), name
    for name, parameter in objective.mapper.named_parameters():
        assert parameter.grad.isfinite().all()
        if ".conv.bias" not in name and not name.endswith("0.bias"):  # a bias before batch norm has none by nature
            assert parameter.grad.any(), name
    assert objective.chance() == {"regions": pytest.approx(math.log(4))}


def test_labels_can_be_detached():
    objective, step = setting([{"semantic"}, {"depth"}, {"normals"}], detach_labels=True)
    objective(step)["regions"].mean().backward()
    assert step.predictions["depth"].grad[0].any()


@pytest.mark.parametrize("labelled", [[set(), set()], [{"semantic", "depth", "normals"}] * 2])
def test_nothing_to_learn_is_an_exact_zero_attached_to_everything(labelled):
    objective, step = setting(labelled)
    term = objective(step)["regions"]
    term.mean().backward()
    assert (term.total, term.count) == (0, 0)
    assert all(p.grad is not None and not p.grad.any() for p in objective.mapper.parameters())


def test_images_without_regions_are_passed_over():
    objective, step = setting([{"semantic"}, {"depth"}])
    step.batch.regions[0] = -1
    assert objective(step)["regions"].count == 2
    step.batch.regions[1] = -1
    assert objective(step)["regions"].count == 0


def test_a_batch_without_regions_names_the_remedy():
    objective, step = setting([{"semantic"}])
    step.batch.regions = None
    with pytest.raises(Exception, match="crosstask regions"):
        objective(step)
