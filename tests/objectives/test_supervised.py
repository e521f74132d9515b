from __future__ import annotations

import pytest
import torch

from crosstask.errors import RecipeError
from crosstask.objectives import Step, Supervised
from crosstask.tasks import KINDS
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


@pytest.mark.parametrize("weighted", [False, True])
def test_averaged_over_images_each_image_has_the_same_say(weighted):
    _, given, network = step(UNEVEN[0])
    objective = Supervised(toy_tasks(), network, average="images")
    rng = torch.Generator().manual_seed(0)
    weights = {"depth": torch.rand(len(given.batch), 6, 8, generator=rng).double()} if weighted else {}
    given.batch.weights = weights
    terms = objective(given)
    for name, task in toy_tasks().items():
        means = [
            task.loss(
                given.predictions[name][[i]],
                given.batch.targets[name][[i]],
                weights[name][[i]] if name in weights else None,
            ).mean()
            for i, tasks in enumerate(UNEVEN[0])
            if name in tasks
        ]
        torch.testing.assert_close(terms[name].total, sum(means, torch.tensor(0.0).double()), rtol=1e-6, atol=1e-9)
        assert terms[name].count == len(given.batch) == objective.counts(given.batch)[name]


def test_class_weights_and_scale_invariant_depth_are_averaged_within_their_image():
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=3, class_weights=[1.0, 0.2, 3.0]),
        "depth": KINDS["depth"]("depth", loss="scale_invariant"),
    }
    _, given, network = step(UNEVEN[0])
    terms = Supervised(tasks, network, average="images")(given)
    for name, task in tasks.items():
        parts = [(given.predictions[name][[i]], given.batch.targets[name][[i]]) for i in range(len(given.batch))]
        expected = sum(task.loss(*each).mean() for each in parts)
        torch.testing.assert_close(terms[name].total, expected, rtol=1e-6, atol=1e-9)


def test_a_loss_of_the_whole_batch_has_no_average_over_images():
    tasks = {"mood": KINDS["scalars"]("mood", names=["valence"])}
    with pytest.raises(RecipeError, match=r"average: images.*mood.*smooth_l1"):
        Supervised(tasks, ToyNetwork({}), average="images")


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
    learnt = {
        name: head.weight.grad is not None and bool(head.weight.grad.any()) for name, head in network.heads.items()
    }
    assert learnt == {name: name == "depth" for name in tasks}
    for only, message in ((["dept"], "did you mean 'depth'"), ([], "found")):
        with pytest.raises(RecipeError, match=message):
            Supervised(tasks, network, only=only)
