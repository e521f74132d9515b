"""Network, objectives and balancer as one module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.balancing.base import Balancer
from crosstask.data.sample import Batch
from crosstask.errors import UserError
from crosstask.learner.groups import Group, freeze
from crosstask.learner.terms import checked
from crosstask.learner.weighting import Weighting
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.control import with_labels_of_others
from crosstask.seeding import generator as stream
from crosstask.tasks.term import Term


class Learner(nn.Module):
    """What is trained. One forward per micro-batch does everything, so that DDP wraps it like any module, however many
    times an objective calls the network."""

    def __init__(
        self,
        network: MultiTaskNetwork,
        objectives: Mapping[str, Objective],
        weightings: Mapping[str, Weighting] | None = None,
        balancer: Balancer | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.objectives = nn.ModuleDict(objectives)
        self.weightings = {name: (weightings or {}).get(name, Weighting()) for name in objectives}
        self.balancer = balancer or Balancer()
        self.balancer.check({name: objective.term_names() for name, objective in objectives.items()})
        self.resting: list[nn.Module] = []

    def freeze(self, groups: Mapping[str, Group]) -> None:
        """Take the parts of the network that are frozen out of training, see :mod:`crosstask.learner.groups`.

        Raises:
            RecipeError: a group names no part, or one that has nothing to freeze or to train.
        """
        self.resting = freeze(self, groups)
        self.train(self.training)

    @override
    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        for module in self.resting:
            module.train(False)
        return self

    def forward(self, batch: Batch, iteration: int, iterations: int, generator: torch.Generator) -> dict[str, Term]:
        """All terms of a micro-batch, named ``OBJECTIVE/TERM``, weighted by their objective's schedule.

        Only totals are weighted: a count says how much was averaged over, whatever it is worth. Each objective has its
        own stream of random numbers, so that its draws do not depend on which others there are.

        Raises:
            UserError: an objective returned something else than terms by name.
        """
        steps = self._steps(batch, iteration, iterations, generator)
        terms = {}
        for name, objective in self._named():
            step = steps[0 if objective.first_view else -1]
            if self.weightings[name].control:
                step = replace(step, batch=with_labels_of_others(step.batch))
            step.generator = stream(generator.initial_seed(), name)
            factor = self.weightings[name].at(iteration)
            for term, (total, count) in checked(objective(step), f"objectives.{name}").items():
                terms[f"{name}/{term}"] = Term(total * factor, count)
        if not terms:
            raise UserError("objectives: none of them returned a term: return Term.zero(...) where nothing is learnt")
        first, (total, count) = next(iter(terms.items()))  # no head goes unused, which DDP would wait for
        unused = [each for step in steps for each in step.predictions.values()]
        return terms | {first: Term(total + Term.zero(*unused).total, count)}

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """The counts of :meth:`forward` that are known before it."""
        known = {}
        for name, objective in self._named():
            seen = batch if objective.first_view or batch.view is None else batch.view
            if self.weightings[name].control:
                seen = with_labels_of_others(seen)
            for term, count in (objective.counts(seen) or {}).items():
                known[f"{name}/{term}"] = count
        return known

    def after_step(self, iteration: int) -> None:
        """Tell the objectives that a step was taken."""
        with torch.no_grad():
            for _, objective in self._named():
                objective.after_step(self.network, iteration)

    def measures(self) -> dict[str, float]:
        """Numbers of the objectives for people, see :meth:`Objective.measures`, named ``OBJECTIVE/NUMBER``; and the
        balancer's weights, ``balancing/OBJECTIVE/TERM``."""
        numbers = {f"{name}/{key}": value for name, each in self._named() for key, value in each.measures().items()}
        return numbers | {f"balancing/{name}": weight for name, weight in self.balancer.weights().items()}

    def factors(self, iteration: int) -> dict[str, float]:
        """What each objective weighs at ``iteration``."""
        return {name: weighting.at(iteration) for name, weighting in self.weightings.items()}

    def chance(self) -> dict[str, float]:
        """Chance levels of contrastive terms, named like the terms."""
        return {
            f"{name}/{term}": level for name, objective in self._named() for term, level in objective.chance().items()
        }

    def _steps(self, batch: Batch, iteration: int, iterations: int, generator: torch.Generator) -> list[Step]:
        """What objectives see of the batch, and of its second view where it has one: both go through the network at
        once, so that they share the statistics of its norms."""
        views = [batch] if batch.view is None else [batch, batch.view]
        height, width = batch.images.shape[-2:]
        images = batch.images if len(views) == 1 else torch.cat([view.images for view in views])
        features = self.network.features(images)
        predictions = self.network.heads_forward(features, (height, width))
        if len(views) == 1:
            return [Step(batch, self.network, predictions, features, iteration, iterations, generator)]
        steps = []
        for index, view in enumerate(views):
            own = {name: each.chunk(2)[index] for name, each in predictions.items()}
            maps = [each.chunk(2)[index] for each in features]
            steps.append(Step(view, self.network, own, maps, iteration, iterations, generator))
        return steps

    def _named(self) -> list[tuple[str, Objective]]:
        return list(self.objectives.items())  # type: ignore[arg-type]
