from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from crosstask.errors import RecipeError
from crosstask.objectives import Step
from crosstask.objectives.joint_task.joint_task import JointTask
from crosstask.objectives.joint_task.stacks import Classes
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

MIXED = [{"semantic"}, {"depth", "normals"}, set(), {"semantic", "depth", "normals"}, {"tags"}]
NETWORK, LATENT, RECONSTRUCTION = "distance", "latent", "reconstruction"


def setting(labelled, **options):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).double()
    objective = JointTask(tasks, network, widths=(6, 8), **options).double()
    batch = toy_batch(labelled)
    predictions = network(batch.images)
    for prediction in predictions.values():
        prediction.retain_grad()
    return objective, Step(batch, network, predictions, [], 0, 10, torch.Generator().manual_seed(0))


def slow(objective: JointTask, step: Step) -> tuple[dict[str, float], int]:
    """Image by image, from the notes; classes as probabilities."""
    totals, images = dict.fromkeys(objective.factors, 0.0), 0
    autoencoder = objective.autoencoder
    for index in range(len(step.batch)):
        targets = {name: step.batch.targets[name][index] for name in ("semantic", "depth", "normals")}
        raw = {name: step.predictions[name][index].detach() for name in targets}
        there = {
            "semantic": targets["semantic"] >= 0,
            "depth": ~targets["depth"][0].isnan(),
            "normals": ~targets["normals"].isnan().any(0),
        }
        labelled = [name for name, known in there.items() if known.any()]
        if not labelled:
            continue
        images += 1
        mask = torch.stack([there[name] for name in labelled]).all(0)
        normal = torch.distributions.Normal(2.3618, 1.5876)
        own = {
            "semantic": raw["semantic"].softmax(0),
            "depth": normal.cdf(raw["depth"]),
            "normals": (F.normalize(raw["normals"], dim=0, eps=1e-4) + 1) / 2,
        }
        given = {
            "semantic": F.one_hot(targets["semantic"].clamp(min=0), 3).permute(2, 0, 1).double(),
            "depth": normal.cdf(targets["depth"].nan_to_num(1.0)),
            "normals": (targets["normals"] + 1) / 2,
        }
        stacks = []
        for labels in (labelled, []):
            maps = torch.cat([given[name] if name in labels else own[name] for name in targets])
            maps[:, ~mask] = 0
            stacks.append(maps)
        latents = [autoencoder.encoder(stack[None])[0] for stack in stacks]
        there = F.adaptive_max_pool2d(mask[None].float(), latents[0].shape[-2:])[0] > 0
        apart = 1 - F.cosine_similarity(*latents, dim=0)[there].mean()
        totals[NETWORK] += float(apart)
        totals[LATENT] += 2.0 * float(apart)
        for stack, latent in zip(stacks, latents, strict=True):
            classes, depth, normals = autoencoder.decode(latent[None], (6, 8))[0].split([3, 1, 3])
            values = stack.split([3, 1, 3])
            error = F.binary_cross_entropy_with_logits(classes[:, mask], values[0][:, mask])
            error += (depth.sigmoid() - values[1])[:, mask].abs().mean()
            error += (1 - F.cosine_similarity(normals, 2 * values[2] - 1, dim=0))[mask].mean()
            totals[RECONSTRUCTION] += 0.5 * float(error)
    return totals, images


def test_one_call_equals_a_loop_over_images():
    objective, step = setting(MIXED, sample=False)
    objective.eval()
    with torch.no_grad():
        terms = objective(step)
        totals, images = slow(objective, step)
    assert images == 3
    for name, term in terms.items():
        torch.testing.assert_close(float(term.total), totals[name], rtol=1e-5, atol=0)
        assert term.count == images == objective.counts(step.batch)[name]


def test_the_distance_trains_the_network_and_the_rest_the_autoencoder():
    objective, step = setting(MIXED)
    before = {name: buffer.clone() for name, buffer in objective.named_buffers()}
    terms = objective(step)
    terms[NETWORK].mean().backward(retain_graph=True)
    assert not any(parameter.grad.any() for parameter in objective.parameters())
    reached = {name: [bool(g.any()) for g in step.predictions[name].grad] for name in objective.tasks}
    for found in reached.values():  # labelled tasks through Y^
        assert found == [True, True, False, True, False]
    for prediction in step.predictions.values():
        prediction.grad = None
    (terms[LATENT].mean() + terms[RECONSTRUCTION].mean()).backward()
    assert all(parameter.grad.any() for name, parameter in objective.named_parameters())
    assert not any(step.predictions[name].grad.any() for name in objective.tasks)
    # batch statistics were taken once: the copy that is held constant has its own
    counts = [(buffer - before[name]) for name, buffer in objective.named_buffers() if name.endswith("tracked")]
    assert all(count == 1 for count in counts)


def test_predictions_in_place_of_labels_are_reached():
    objective, step = setting([{"semantic"}])
    given = step.predictions["depth"]

    def gradient(cut: bool):
        mixed, predicted = objective._stacks(step, objective._known(step.batch))
        mixed = mixed.detach() if cut else mixed
        return torch.autograd.grad((mixed * predicted).sum(), given, retain_graph=True)[0]

    assert not torch.allclose(gradient(True), gradient(False))


def test_drawn_classes_are_one_hot_as_often_as_probable_with_the_gradient_of_a_softmax():
    logits = torch.tensor([1.0, 0.0, -1.0])[None, :, None, None].expand(1, 3, 100, 200).clone().requires_grad_()
    entry = Classes(toy_tasks()["semantic"])
    drawn = entry.sampled(logits, torch.Generator().manual_seed(0))
    values, probabilities = drawn.detach(), logits[0, :, 0, 0].detach().softmax(0)
    torch.testing.assert_close(values, values.round(), atol=1e-6, rtol=0)
    torch.testing.assert_close(values.sum(1), torch.ones(1, 100, 200))
    torch.testing.assert_close(values.mean((0, 2, 3)), probabilities, atol=0.02, rtol=0)
    (drawn * torch.tensor([1.0, 2.0, 4.0])[:, None, None]).sum().backward()
    assert logits.grad.any()
    torch.testing.assert_close(logits.grad.sum(1), torch.zeros(1, 100, 200), atol=1e-6, rtol=0)
    again = entry.sampled(logits, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)


@pytest.mark.parametrize("labelled", [[set(), set()], [{"tags"}]])
def test_without_dense_labels_everything_is_an_exact_zero(labelled):
    objective, step = setting(labelled)
    terms = objective(step)
    sum(term.mean() for term in terms.values()).backward()
    assert all((term.total, term.count) == (0, 0) for term in terms.values())
    assert all(p.grad is not None and not p.grad.any() for p in objective.parameters())
    assert not any(step.predictions[name].grad.any() for name in objective.tasks)


def test_agreement_costs_nothing():
    objective, step = setting([{"depth", "normals"}], sample=False)
    step.predictions["depth"] = step.batch.targets["depth"].nan_to_num(1.0)
    step.predictions["normals"] = step.batch.targets["normals"]
    assert objective(step)[NETWORK].total.abs() < 1e-6
    step.predictions["normals"] = step.batch.targets["normals"].roll(1, 1)
    assert objective(step)[NETWORK].total > 1e-3


def test_what_cannot_be_is_refused():
    tasks = {name: task for name, task in toy_tasks().items() if name in ("depth", "tags")}
    with pytest.raises(RecipeError, match=r"joint_task: needs two dense tasks, found depth"):
        JointTask(tasks, ToyNetwork(tasks))
    with pytest.raises(RecipeError, match="depth_deviation"):
        JointTask(toy_tasks(), ToyNetwork(toy_tasks()), depth_deviation=0.0)


def test_labelled_tasks_are_left_alone_as_released():
    objective, step = setting(MIXED, sample=False, detach_labelled=True)
    objective(step)[NETWORK].mean().backward()
    reached = {name: [bool(g.any()) for g in step.predictions[name].grad] for name in objective.tasks}
    assert reached == {
        "semantic": [False, True, False, False, False],
        "depth": [True, False, False, False, False],
        "normals": [True, False, False, False, False],
    }


def test_the_stack_of_predictions_holds_the_same_draw_as_released():
    objective, step = setting([{"depth"}], sample_predicted=True)
    mixed, predicted = objective._stacks(step, objective._known(step.batch))
    assert torch.equal(mixed[:, :3], predicted[:, :3])
    known = objective._known(step.batch).mask
    assert set(predicted[:, :3].detach().permute(1, 0, 2, 3)[:, known].flatten().round(decimals=6).tolist()) == {
        0.0,
        1.0,
    }


def test_the_published_autoencoder_trains_the_network():
    tasks = toy_tasks()
    network = ToyNetwork(tasks)
    objective = JointTask(tasks, network, autoencoder="segnet", widths=(4, 4, 4, 6, 6))
    batch = toy_batch([{"semantic"}, {"depth"}], dtype=torch.float32)
    step = Step(batch, network, network(batch.images), [], 0, 10, torch.Generator().manual_seed(0))
    terms = objective(step)
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total > 0 for term in terms.values())
    assert network.trunk.weight.grad.any()
    assert all(parameter.grad is not None for parameter in objective.parameters())
    with pytest.raises(Exception, match="widths"):
        JointTask(tasks, network, autoencoder="segnet")
