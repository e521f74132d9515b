from __future__ import annotations

import copy
import math

import pytest
import torch

from crosstask.errors import RecipeError
from crosstask.objectives import MeanTeacher, Step
from crosstask.objectives.shared.views import StrongView
from crosstask.tasks.metrics.segmentation import SegmentationMetric
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

LABELLED = [{"semantic", "depth"}, {"normals"}, {"tags"}, set()]
VIEWS = {
    "weak": {},
    "flip": {"flip": True},
    "strong": {"view": StrongView("cutmix")},
    "fixmatch": {"view": StrongView("classmix"), "decay": 0.0, "threshold": 0.4},
    "unimatch": {"view": StrongView("cutout"), "views": 2, "feature_dropout": 0.5, "weigh": True},
}


def setting(labelled=LABELLED, network_seed=0, **options):
    tasks = toy_tasks()
    torch.manual_seed(network_seed)
    network = ToyNetwork(tasks)
    objective = MeanTeacher(tasks, network, **options)
    with torch.no_grad():  # a student apart from its teacher
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    batch = toy_batch(labelled, dtype=torch.float32)
    return objective, network, batch


def step_of(network, batch, seed: int = 0) -> Step:
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    return Step(batch, network, predictions, features, 0, 10, torch.Generator().manual_seed(seed))


def test_each_unknown_entry_learns_from_the_teacher_with_the_loss_of_its_task():
    objective, network, batch = setting()
    step = step_of(network, batch)
    with torch.no_grad():
        labels = objective.teacher.module(batch.images)
    terms = objective(step)
    for name, task in objective.tasks.items():
        known = task.known(batch.targets[name])
        target = task.decide(labels[name])
        spread = known if known.ndim == target.ndim else known.unsqueeze(1)
        alone = task.loss(step.predictions[name], target.masked_fill(spread, task.target_type.UNKNOWN))
        torch.testing.assert_close(terms[name].total, alone.total)
        assert terms[name].count == alone.count == (~known).sum() == objective.counts(batch)[name]
        assert terms[name].count > 0


def test_gradient_reaches_unknown_entries_alone_and_never_the_teacher():
    objective, network, batch = setting()
    step = step_of(network, batch)
    for prediction in step.predictions.values():
        prediction.retain_grad()
    sum(term.mean() for term in objective(step).values()).backward()
    for name, task in objective.tasks.items():
        gradient = step.predictions[name].grad
        known = task.known(batch.targets[name])
        spread = (known if known.ndim == gradient.ndim else known.unsqueeze(1)).expand_as(gradient)
        assert not gradient[spread].any(), name
        assert gradient[~spread].any(), name
    assert all(parameter.grad is None for parameter in objective.parameters())
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_labels_below_the_threshold_teach_nothing_but_count():
    objective, network, batch = setting([set()] * 4, threshold=0.4, only=["semantic"])
    step = step_of(network, batch)
    with torch.no_grad():
        probabilities = objective.teacher.module(batch.images)["semantic"].softmax(1)
    sure = probabilities.amax(1) >= 0.4
    assert 0 < sure.float().mean() < 1
    (name, term), = objective(step).items()  # fmt: skip
    expected = torch.nn.functional.cross_entropy(step.predictions[name], probabilities.argmax(1), reduction="none")
    torch.testing.assert_close(term.total, expected[sure].sum())
    assert term.count == sure.numel()
    assert objective.measures() == {"semantic/coverage": pytest.approx(float(sure.float().mean()))}


def test_labels_can_be_weighed_by_confidence():
    objective, network, batch = setting([set()] * 2, weigh=True, only=["semantic", "depth"])
    step = step_of(network, batch)
    with torch.no_grad():
        labels = objective.teacher.module(batch.images)
    terms = objective(step)
    expected = objective.tasks["semantic"].loss(
        step.predictions["semantic"], labels["semantic"].argmax(1), labels["semantic"].softmax(1).amax(1)
    )
    torch.testing.assert_close(terms["semantic"].total, expected.total)
    depth = objective.tasks["depth"]
    torch.testing.assert_close(
        terms["depth"].total, depth.loss(step.predictions["depth"], depth.decide(labels["depth"])).total
    )


def test_the_student_of_a_mixed_view_learns_from_labels_mixed_alike():
    objective, network, batch = setting(view=StrongView("cutmix"))
    step = step_of(network, batch)
    terms = objective(step)
    view = objective.view(batch.images, torch.Generator().manual_seed(0))
    predictions = network(view.images)
    with torch.no_grad():
        labels = objective.teacher.module(batch.images)
    for name in ("semantic", "depth", "normals"):
        task = objective.tasks[name]
        unknown = ~task.known(batch.targets[name])
        target = view.move(task.decide(labels[name]), 0)
        expected = task.loss(predictions[name], target, view.move(unknown.float(), 0.0))
        torch.testing.assert_close(terms[name].total, expected.total)
    weak = task_loss_of_tags(objective, step, labels)
    torch.testing.assert_close(terms["tags"].total, weak)  # a mixed image has no tags of its own


def task_loss_of_tags(objective, step, labels):
    task = objective.tasks["tags"]
    unknown = ~task.known(step.batch.targets["tags"])
    return task.loss(step.predictions["tags"], task.decide(labels["tags"]), unknown.float()).total


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_everything_labelled_is_an_exact_zero_and_terms_are_always_there(options):
    objective, network, batch = setting([{"semantic", "depth", "normals", "tags"}] * 3, **options)
    batch.targets["semantic"] = batch.targets["semantic"].clamp(min=0)  # toy batches leave some pixels unknown
    batch.targets["depth"] = batch.targets["depth"].nan_to_num(1.0)
    terms = objective(step_of(network, batch))
    sum(term.mean() for term in terms.values()).backward()
    for name in objective.tasks:
        assert (float(terms[name].total.detach()), float(terms[name].count)) == (0, 0)
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_a_step_follows_from_state_and_generator_alone(options):
    objective, network, batch = setting(**options)
    objective.after_step(network, 0)
    first = objective(step_of(network, batch, seed=5))
    state = copy.deepcopy(objective.state_dict())
    restored, _, _ = setting(network_seed=9, **options)
    restored.load_state_dict(state)
    again, other = restored(step_of(network, batch, seed=5)), restored(step_of(network, batch, seed=6))
    for name, term in first.items():
        assert torch.equal(term.total, again[name].total)
    assert (first["depth"].total != other["depth"].total) == ("view" in options)


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_half_precision_stays_finite(options):
    objective, network, batch = setting(**options)
    batch.images *= 50
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective(step_of(network, batch))
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total.dtype == torch.float32 and term.total.isfinite() for term in terms.values())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_order_of_samples_does_not_matter():
    objective, network, batch = setting()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = copy.copy(batch)
    shuffled.images = batch.images[order]
    shuffled.targets = {name: target[order] for name, target in batch.targets.items()}
    first, second = objective(step_of(network, batch)), objective(step_of(network, shuffled))
    for name in first:
        torch.testing.assert_close(first[name], second[name])


def test_pseudo_labels_are_measured_on_hidden_labels_where_they_cover_them():
    objective, network, batch = setting([{"depth"}] * 3 + [set()], threshold=0.4, only=["semantic", "depth"])
    whole = toy_batch([{"semantic", "depth"}] * 4, dtype=torch.float32)
    batch.hidden = {"semantic": whole.targets["semantic"], "depth": whole.targets["depth"]}
    with torch.no_grad():
        labels = objective.teacher.module(batch.images)
    objective(step_of(network, batch))
    objective(step_of(network, batch))
    measured = objective.measures()
    sure = labels["semantic"].softmax(1).amax(1) >= 0.4
    expected = SegmentationMetric(["0", "1", "2"])
    expected.update(labels["semantic"], whole.targets["semantic"].where(sure, -1))
    assert measured["semantic/miou"] == pytest.approx(expected.compute()["miou"])
    assert measured["semantic/coverage"] == pytest.approx(float(sure.float().mean()))
    assert 0 < measured["depth/coverage"] == 1
    assert measured["depth/abs"] > 0
    empty = objective.measures()
    assert set(empty) == {"semantic/coverage", "depth/coverage"}
    assert all(math.isnan(value) for value in empty.values())


def test_nothing_is_learnt_from_hidden_labels():
    objective, network, batch = setting()
    without = objective(step_of(network, batch))
    batch.hidden = toy_batch([{"semantic", "depth", "normals", "tags"}] * 4, dtype=torch.float32).targets
    for name, term in objective(step_of(network, batch)).items():
        assert torch.equal(term.total, without[name].total)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["semantik"]}, "did you mean 'semantic'"),
        ({"only": ["depth"], "view": StrongView("classmix")}, "needs a segmentation task"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    tasks = toy_tasks()
    with pytest.raises(RecipeError, match=message):
        MeanTeacher(tasks, ToyNetwork(tasks), **options)
