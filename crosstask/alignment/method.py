"""One method as it is aligned: its objectives beside a network that stays as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from crosstask.alignment.cosines import mean
from crosstask.entries import SUPERVISED
from crosstask.errors import RecipeError
from crosstask.learner.learner import Learner
from crosstask.objectives.base import Objective, Step
from crosstask.seeding import generator


class AlignedMethod:
    """The objectives of a method, without ``supervised``, each at its full weight.

    Args:
        name: of the method.
        learner: network, objectives and weights, on their device.
        lr: learning rate of what the objectives learn themselves.
        seed: seed of their draws.

    Raises:
        RecipeError: the method has no such objective.
    """

    def __init__(self, name: str, learner: Learner, lr: float, seed: int) -> None:
        others = {key: objective for key, objective in learner.objectives.items() if key != SUPERVISED}
        self.objectives: dict[str, Objective] = {key: each.train() for key, each in others.items()}  # type: ignore[misc]
        if not self.objectives:
            raise RecipeError(f"--objectives: {name!r} has no objective beside {SUPERVISED}: there is nothing to align")
        self.weights = {key: learner.weightings[key].weight for key in self.objectives}
        own = [p for objective in self.objectives.values() for p in objective.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(own, lr=lr) if own else None
        self.seed = seed

    def loss(self, step: Step, position: int) -> Tensor:
        """The sum of the mean losses of all terms; without a graph where none has anything to teach."""
        total = torch.zeros((), device=step.batch.images.device)
        for name, objective in self.objectives.items():
            step.generator = generator(self.seed, "align", position, name)
            for term in objective(step).values():
                total = total + self.weights[name] * mean(term)
        return total

    def fit(self, step: Step, position: int) -> None:
        """A step of what the objectives learn or keep themselves, given a network that needs no gradient."""
        if self.optimiser is not None:
            self.optimiser.zero_grad()
            loss = self.loss(step, position)
            if loss.requires_grad:
                loss.backward()
                self.optimiser.step()
        for objective in self.objectives.values():
            with torch.no_grad():
                objective.after_step(step.network, position)
