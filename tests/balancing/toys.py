"""A network whose shared part is called encoder, steps on it, and the worker of the two-process test."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor

from crosstask.balancing import BALANCERS, Balancer
from crosstask.data.sample import Batch
from crosstask.learner.learner import Learner
from crosstask.objectives import Supervised
from crosstask.training.step import accumulate_gradients
from tests.training.toys import UNEVEN, ToyNetwork, toy_batch, toy_tasks


class Shared(ToyNetwork):
    @property
    def encoder(self) -> torch.nn.Module:
        return self.trunk


def make(balancer: Balancer) -> Learner:
    torch.manual_seed(3)
    tasks = toy_tasks()
    network = Shared(tasks)
    return Learner(network, {"supervised": Supervised(tasks, network)}, balancer=balancer).double()


def take_steps(fabric: Fabric, learner: Learner, steps: list[list[Batch]]) -> dict[str, Tensor]:
    """The gradients of the last step."""
    module, optimiser = fabric.setup(learner, torch.optim.SGD(learner.parameters(), lr=0.1))
    for iteration, batches in enumerate(steps):
        optimiser.zero_grad()
        accumulate_gradients(fabric, module, batches, iteration=iteration, iterations=10, seed=0)
        if iteration < len(steps) - 1:
            optimiser.step()
    return {name: parameter.grad.clone() for name, parameter in learner.named_parameters()}


def two_process_worker(fabric: Fabric, folder: str, kinds: list[str]) -> None:
    rank = fabric.global_rank
    for kind in kinds:
        learner = make(BALANCERS[kind]())
        steps = [[toy_batch(UNEVEN[rank], seed=rank + 2 * step)] for step in range(3)]
        gradients = take_steps(fabric, learner, steps)
        torch.save({"gradients": gradients, "weights": learner.balancer.weights()}, f"{folder}/{kind}-{rank}.pt")
