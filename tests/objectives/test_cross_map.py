"""Direct and perceptual maps against loops over images and pairs."""

from __future__ import annotations

import pytest
import torch

from crosstask.networks.mapping import pair_slot
from crosstask.objectives.base import Step
from crosstask.objectives.cross_map import CrossMap
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

LABELLED = [{"semantic"}, {"depth", "normals"}, set(), {"semantic", "depth", "normals"}, {"depth"}]
NAMES = ("semantic", "depth", "normals")


def setting(mode: str):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).double()
    objective = CrossMap(tasks, network, mode, widths=(4,), reduce=1).double().eval()  # no statistics of the batch
    batch = toy_batch(LABELLED)
    predictions = {name: value.detach().requires_grad_() for name, value in network(batch.images).items()}
    return tasks, objective, Step(batch, network, predictions, [], 0, 1)


@pytest.mark.parametrize("mode", ["direct", "perceptual"])
def test_one_call_equals_a_loop_over_images_and_pairs(mode):
    tasks, objective, step = setting(mode)
    total, images = 0.0, 0
    for index, labels in enumerate(LABELLED):
        pairs = [(s, t) for s in NAMES for t in NAMES if s != t and t in labels and s not in labels]
        images += bool(pairs)
        for source, target in pairs:
            i, j = NAMES.index(source), NAMES.index(target)
            label = step.batch.targets[target][index : index + 1]
            seen, other = (tasks[n].embed(step.predictions[n][index : index + 1]) for n in (source, target))
            if mode == "direct":
                mapped = objective.maps[pair_slot(i, j, 3)](seen)
                total += tasks[target].loss(mapped, label).mean()
                continue
            known = tasks[target].known(label)[0]
            back = objective.maps[pair_slot(j, i, 3)]
            given = tasks[target].embed_target(label).double()
            mapped, looked = back(given), back(torch.where(known[None, None], other, 0))
            errors = ((looked - mapped).abs() + (mapped - seen).abs()).sum(1)[0]
            total += errors[known].mean()
    term = objective(step)[mode]
    assert term.count == images == objective.counts(step.batch)[mode]
    torch.testing.assert_close(term.total, total)


def test_direct_teaches_unlabelled_predictions_only():
    _, objective, step = setting("direct")
    objective(step)["direct"].mean().backward()
    for name in NAMES:
        learnt = step.predictions[name].grad.flatten(1).any(1).tolist()
        assert learnt == [bool(labels) and name not in labels for labels in LABELLED]


def test_perceptual_teaches_both_and_its_eyes_learn_from_labels_alone():
    _, objective, step = setting("perceptual")
    objective(step)["perceptual"].mean().backward()
    for name in NAMES:
        learnt = step.predictions[name].grad.flatten(1).any(1).tolist()
        assert learnt == [0 < len(labels) < 3 for labels in LABELLED]
    own = [p.grad.clone() for p in objective.parameters()]
    objective.zero_grad()
    for name in NAMES:  # what is seen of labelled tasks changes; what the networks learn does not
        with torch.no_grad():
            labelled = torch.tensor([name in labels for labels in LABELLED])
            step.predictions[name][labelled] += torch.randn_like(step.predictions[name][labelled])
    objective(step)["perceptual"].mean().backward()
    for before, parameter in zip(own, objective.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, before)


@pytest.mark.parametrize("mode", ["direct", "perceptual"])
def test_images_with_all_their_labels_offer_no_pair(mode):
    """It is a baseline for missing labels, unlike the methods whose papers have tables of full labels."""
    tasks = toy_tasks()
    network = ToyNetwork(tasks).double()
    objective = CrossMap(tasks, network, mode, widths=(4,), reduce=1).double()
    batch = toy_batch([set(NAMES), set(NAMES)])
    assert objective.counts(batch)[mode] == 0
    assert objective(Step(batch, network, network(batch.images), [], 0, 1))[mode].total == 0
