from __future__ import annotations

import pytest
import torch

from crosstask.errors import RecipeError
from crosstask.objectives import Step, Supervised
from tests.training.toys import UNEVEN, ToyNetwork, toy_batch, toy_tasks


def step(labelled):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).double()
    batch = toy_batch(labelled)
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    return Supervised(tasks, network), Step(batch, network, predictions, features, 0, 10), network


def test_each_term_is_the_tasks_loss_on_the_known_labels():
    objective, given, _ = step(UNEVEN[0])
    terms = objective(given)
    for name, task in toy_tasks().items():
        known = [index for index, tasks in enumerate(UNEVEN[0]) if name in tasks]
        alone = [task.loss(given.predictions[name][[i]], given.batch.targets[name][[i]]) for i in known]
        torch.testing.assert_close(terms[name].total, sum(term.total for term in alone))
        assert terms[name].count == sum(term.count for term in alone)


def test_counts_are_known_before_the_forward():
    objective, given, _ = step(UNEVEN[1])
    counts = objective.counts(given.batch)
    assert counts == {name: term.count for name, term in objective(given).items()}


def test_without_labels_everything_is_an_exact_zero_with_a_graph():
    objective, given, network = step([set(), set()])
    terms = objective(given)
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total == 0 and term.count == 0 for term in terms.values())
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())


def test_one_task_alone_learns_and_the_others_have_no_gradient():
    tasks = toy_tasks()
    network = ToyNetwork(tasks).double()
    batch = toy_batch([{"semantic", "depth"}, {"depth"}, {"normals"}])
    given = Step(batch, network, network(batch.images), [], 0, 1)
    terms = Supervised(tasks, network, only=["depth"])(given)
    assert list(terms) == ["depth"]
    every = Supervised(tasks, network)(given)["depth"]
    torch.testing.assert_close(terms["depth"], every)
    terms["depth"].mean().backward()
    learnt = {name: bool(head.weight.grad.any()) for name, head in network.heads.items()}
    assert learnt == {name: name == "depth" for name in tasks}
    for only, message in ((["dept"], "did you mean 'depth'"), ([], "found")):
        with pytest.raises(RecipeError, match=message):
            Supervised(tasks, network, only=only)
