from __future__ import annotations

import torch
from torch import nn

from crosstask.networks import MultiTaskNetwork
from crosstask.objectives.shared.teacher import Teacher, raw_labels
from tests.training.toys import ToyNetwork, toy_tasks


def network(seed: int = 0) -> ToyNetwork:
    torch.manual_seed(seed)
    return ToyNetwork(toy_tasks())


def changed(module: nn.Module, by: float = 0.5) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(by)


def test_it_is_the_mean_of_all_states_until_the_decay_is_reached():
    student = network()
    teacher = Teacher(student, decay=0.75)
    states = [student.trunk.weight.detach().clone()]
    for _ in range(3):
        changed(student)
        states.append(student.trunk.weight.detach().clone())
        teacher.update(student)
    torch.testing.assert_close(teacher.module.trunk.weight, torch.stack(states).mean(0))
    before = teacher.module.trunk.weight.clone()
    teacher.update(student)
    torch.testing.assert_close(teacher.module.trunk.weight, 0.75 * before + 0.25 * states[-1])


def test_without_decay_it_is_the_network():
    student = network()
    teacher = Teacher(student, decay=0.0)
    changed(student)
    teacher.update(student)
    assert torch.equal(teacher.module.trunk.weight, student.trunk.weight)


def test_it_is_never_trained_and_needs_no_gradient():
    tasks = toy_tasks()
    teacher = Teacher(network()).train()
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    outputs = raw_labels(teacher.module, torch.rand(2, 3, 6, 8), tasks)
    assert list(outputs) == list(tasks)
    assert not any(output.requires_grad for output in outputs.values())


def test_mirrored_predictions_are_turned_back_as_targets_are():
    tasks = toy_tasks()
    teacher = Teacher(network())
    images = torch.rand(2, 3, 6, 8)
    with torch.no_grad():
        straight, mirrored = teacher.module(images), teacher.module(images.flip(-1))
    averaged = raw_labels(teacher.module, images, tasks, flip=True)
    signs = torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    torch.testing.assert_close(averaged["normals"], (straight["normals"] + mirrored["normals"].flip(-1) * signs) / 2)
    torch.testing.assert_close(averaged["depth"], (straight["depth"] + mirrored["depth"].flip(-1)) / 2)
    torch.testing.assert_close(averaged["tags"], (straight["tags"] + mirrored["tags"]) / 2)


def test_statistics_are_the_averaged_ones_or_those_of_the_batch():
    tasks = {"semantic": toy_tasks()["semantic"]}
    torch.manual_seed(0)
    student = MultiTaskNetwork(tasks, encoder_options={"width": 4})
    images = torch.rand(4, 3, 32, 32)
    for batch_statistics in (False, True):
        teacher = Teacher(student, batch_statistics=batch_statistics).train()
        together = raw_labels(teacher.module, images, tasks)["semantic"][:2]
        alone = raw_labels(teacher.module, images[:2], tasks)["semantic"]
        assert torch.allclose(together, alone, atol=1e-5) != batch_statistics
