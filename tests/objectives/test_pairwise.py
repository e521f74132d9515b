from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from crosstask.networks.mapping import pair_slot
from crosstask.objectives import PairwiseConsistency, Step
from crosstask.objectives.pairwise import consistency
from crosstask.objectives.shared.pairs import find_pairs
from tests.shared import shared
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

OPTIONS = {"stem": 4, "widths": (4,), "layers": (1, 1)}


@pytest.mark.parametrize("regularisation", [0.5, 0.0])
def test_the_loss_equals_the_released_one(regularisation):
    with np.load(shared("fixtures/rdc/xtc.npz")) as given:
        maps = [torch.from_numpy(given[key]) for key in ("map_source", "map_target", "feat")]
        expected = float(given["loss_reg05" if regularisation else "loss_reg0"])
    torch.testing.assert_close(float(consistency(*maps, regularisation)), expected, rtol=1e-5, atol=1e-5)


def setting(labelled):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks)
    network.channels = [4]
    objective = PairwiseConsistency(tasks, network, **OPTIONS)
    batch = toy_batch(labelled, dtype=torch.float32)
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    for prediction in predictions.values():
        prediction.retain_grad()
    return objective, Step(batch, network, predictions, features, 0, 10)


def slow(objective, step) -> tuple[float, int]:
    """Image by image, pair by pair."""
    names = list(objective.tasks)
    total, images = 0.0, 0
    for index in range(len(step.batch)):
        known = {
            name: bool(task.known(step.batch.targets[name][index : index + 1]).any())
            for name, task in objective.tasks.items()
        }
        pairs = [(s, t) for s in names for t in names if s != t and known[t] and (all(known.values()) or not known[s])]
        images += bool(pairs)
        for s, t in pairs:
            slot = torch.tensor([pair_slot(names.index(s), names.index(t), len(names))])
            prediction = objective.tasks[s].embed(step.predictions[s][index : index + 1])
            label = objective.tasks[t].embed_target(step.batch.targets[t][index : index + 1])
            (source,) = objective.mapper([(names.index(s), prediction, slot)])
            (target,) = objective.mapper([(names.index(t), label, slot)])
            pooled = nn.functional.adaptive_avg_pool2d(step.features[-1][index : index + 1], source.shape[-2:])
            known = objective.tasks[t].known(step.batch.targets[t][index : index + 1])
            there = nn.functional.max_pool2d(known.float(), (6 // source.shape[-2], 8 // source.shape[-1])) > 0
            total += float(consistency(source, target, pooled, objective.regularisation, there).detach())
    return total, images


def test_all_pairs_in_one_call_equal_a_loop_over_images_and_pairs():
    objective, step = setting([{"semantic"}, {"depth", "normals"}, {"semantic", "depth", "normals"}, set()])
    objective.eval()
    term = objective(step)["consistency"]
    total, images = slow(objective, step)
    assert images == 3
    torch.testing.assert_close(float(term.total.detach()), total, rtol=1e-4, atol=1e-4)
    assert term.count == images == objective.counts(step.batch)["consistency"]


def test_gradient_reaches_unlabelled_predictions_and_every_mapping_parameter():
    objective, step = setting([{"semantic"}, {"depth"}, {"normals"}])
    objective(step)["consistency"].mean().backward()
    for name, image in (("depth", 0), ("normals", 0), ("semantic", 1), ("normals", 1), ("semantic", 2), ("depth", 2)):
        assert step.predictions[name].grad[image].any(), name
    for name, image in (("semantic", 0), ("depth", 1), ("normals", 2)):  # the labelled task learns from its label alone
        assert not step.predictions[name].grad[image].any()
    for name, parameter in objective.mapper.named_parameters():
        if ".conv.bias" not in name and not name.endswith("0.bias"):  # a bias before batch norm has none by nature
            assert parameter.grad.any(), name


def test_nothing_to_learn_is_an_exact_zero_attached_to_everything():
    objective, step = setting([set(), set()])
    term = objective(step)["consistency"]
    term.mean().backward()
    assert (term.total, term.count) == (0, 0)
    assert all(p.grad is not None and not p.grad.any() for p in objective.mapper.parameters())


def test_images_with_all_labels_offer_every_ordered_pair_unless_told_otherwise():
    full, partial = {"semantic", "depth", "normals"}, {"semantic", "depth"}
    batch = setting([full, partial])[1].batch
    tasks = PairwiseConsistency(toy_tasks(), setting([full])[1].network, **OPTIONS).tasks
    found = {every: find_pairs(batch, tasks, every) for every in (None, False, True)}
    at = {
        every: sorted((p.source, p.target, int(i)) for p in pairs for i in p.images) for every, pairs in found.items()
    }
    ordered = [(s, t, 0) for s in tasks for t in tasks if s != t]
    assert at[None] == sorted([*ordered, ("normals", "semantic", 1), ("normals", "depth", 1)])
    assert at[False] == sorted([("normals", "semantic", 1), ("normals", "depth", 1)])
    assert at[True] == sorted([*at[None], ("semantic", "depth", 1), ("depth", "semantic", 1)])
    objective, step = setting([full] * 2)
    assert objective(step)["consistency"].count == 2
    objective.every_pair = False
    assert objective(step)["consistency"].count == 0


def test_labels_that_a_network_made_are_none_to_pairs():
    full = {"semantic", "depth", "normals"}
    batch = setting([full, full])[1].batch
    batch.made = {"depth": torch.tensor([True, False]), "normals": torch.tensor([True, True])}
    tasks = PairwiseConsistency(toy_tasks(), setting([full])[1].network, **OPTIONS).tasks
    found = sorted((pair.source, pair.target, int(i)) for pair in find_pairs(batch, tasks) for i in pair.images)
    assert found == sorted(
        [("depth", "semantic", 0), ("normals", "semantic", 0), ("normals", "semantic", 1), ("normals", "depth", 1)]
    )


def test_a_single_dense_task_is_refused():
    tasks = {name: task for name, task in toy_tasks().items() if name in ("depth", "tags")}
    with pytest.raises(Exception, match="needs two dense tasks, found depth"):
        PairwiseConsistency(tasks, ToyNetwork(tasks))
