"""Steps with pseudo-labels do not depend on how they are cut up: micro-batches, processes."""

from __future__ import annotations

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from crosstask.learner.learner import Learner
from crosstask.networks.projection import Representation
from crosstask.objectives import MeanTeacher, Supervised
from crosstask.objectives.spaces.contrast import SpaceContrast
from crosstask.objectives.spaces.spaces import SpaceEngage
from crosstask.training.step import accumulate_gradients
from tests.spawned import in_processes
from tests.training.toys import UNEVEN, ToyNetwork, concatenated, toy_batch, toy_tasks


def learner(kind: str) -> Learner:
    torch.manual_seed(3)
    tasks = toy_tasks()
    network = ToyNetwork(tasks)
    network.channels, network.strides = [4], [1]
    objective = {
        "mean_teacher": lambda: MeanTeacher(tasks, network, threshold=0.35),
        "spaces": lambda: SpaceEngage(
            tasks, network, threshold=0.0, representation=Representation(8, 6),
            contrast=SpaceContrast(anchors=5, negatives=7, confidence=0.0),
        ),
    }[kind]()  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return Learner(network, {"supervised": Supervised(tasks, network), kind: objective}).double()


def step(fabric: Fabric, model: Learner, batches: list) -> dict[str, Tensor]:
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    module, optimiser = fabric.setup(model, optimiser)
    accumulate_gradients(fabric, module, batches, iteration=0, iterations=10, seed=0)
    optimiser.step()
    model.after_step(0)
    return copy.deepcopy(model.state_dict())


def worker(fabric: Fabric, kind: str, folder: str) -> None:
    state = step(fabric, learner(kind), [toy_batch(UNEVEN[fabric.global_rank], seed=fabric.global_rank)])
    torch.save(state, f"{folder}/{fabric.global_rank}.pt")


def whole(kind: str) -> dict[str, Tensor]:
    batches = [toy_batch(labels, seed) for seed, labels in enumerate(UNEVEN)]
    return step(Fabric(accelerator="cpu", devices=1), learner(kind), [concatenated(batches)])


def test_micro_batches_equal_one_batch():
    batches = [toy_batch(labels, seed) for seed, labels in enumerate(UNEVEN)]
    found = step(Fabric(accelerator="cpu", devices=1), learner("mean_teacher"), batches)
    for name, value in whole("mean_teacher").items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-9)


OWN = ("norm.running_mean", "norm.running_var", "_extra_state")
"""What each process has of its own images: statistics until the next step, and counts until they are logged."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mean_teacher", "spaces"])
def test_processes_keep_one_teacher_and_the_same_prototypes(kind, tmp_path):
    in_processes(worker, kind, str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in first.items():
        if not name.endswith(OWN):
            torch.testing.assert_close(second[name], value, rtol=1e-6, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
    if kind == "mean_teacher":
        for name, value in whole(kind).items():
            if not name.endswith("_extra_state"):
                torch.testing.assert_close(first[name], value, rtol=1e-6, atol=1e-9)
    else:
        assert first["objectives.spaces.prototypes.seen"].any()
