"""One seed gives every method the same weights, data and draws, whatever else it trains with."""

from __future__ import annotations

import torch

from crosstask.experiment import Experiment
from crosstask.learner.learner import Learner
from crosstask.objectives import OBJECTIVES, Objective
from crosstask.recipe import Recipe
from crosstask.seeding import derive, generator
from crosstask.tasks.term import Term
from tests.tiny import write_recipe, write_tiny
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks


class Drawing(Objective):
    """Remembers what it drew."""

    def __init__(self, tasks, network) -> None:
        super().__init__()
        self.start = torch.nn.Parameter(torch.rand(3))
        self.drawn = torch.empty(0)

    def forward(self, step):
        self.drawn = torch.rand(3, generator=step.generator)
        return {"nothing": Term.zero(*step.predictions.values())}


def drawn(names: list[str]) -> dict[str, torch.Tensor]:
    tasks = toy_tasks()
    network = ToyNetwork(tasks).double()
    objectives = {name: Drawing(tasks, network) for name in names}
    Learner(network, objectives)(toy_batch([{"depth"}]), 0, 1, generator(0, "objectives", 0))
    return {name: objective.drawn for name, objective in objectives.items()}


def test_draws_of_an_objective_do_not_depend_on_the_others():
    alone, together = drawn(["b"]), drawn(["a", "b"])
    assert torch.equal(alone["b"], together["b"])
    assert not torch.equal(together["a"], together["b"])


def test_weights_order_augmentation_and_labels_are_shared_by_methods(tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "a", Drawing)
    monkeypatch.setitem(OBJECTIVES, "b", Drawing)
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    found = []
    for objectives in ("supervised", "supervised,a,b", "b"):
        experiment = Experiment(Recipe.load(recipe, ["--objectives", objectives]), tmp_path / objectives)
        batch = next(iter(experiment.plan.training_batches(0, 0, 1)))
        learner = experiment.recipe.learner(experiment.plan.tasks, experiment.recipe.network(experiment.plan.tasks))
        found.append((batch, learner))
    first, network = found[0][0], found[0][1].network.state_dict()
    for batch, learner in found[1:]:
        assert batch.ids == first.ids
        assert torch.equal(batch.images, first.images)
        for task, target in first.targets.items():
            assert torch.equal(batch.targets[task].isnan(), target.isnan())
            torch.testing.assert_close(batch.targets[task], target, equal_nan=True)
        for name, value in learner.network.state_dict().items():
            assert torch.equal(value, network[name])
    both, alone = found[1][1].objectives, found[2][1].objectives
    assert torch.equal(both["b"].start, alone["b"].start)
    torch.manual_seed(derive(0, "objectives", "b"))
    assert torch.equal(alone["b"].start, torch.rand(3))
