"""What holds for every balancer, through whole steps."""

from __future__ import annotations

import io

import pytest
import torch
from lightning_fabric import Fabric

from crosstask.balancing import BALANCERS
from crosstask.errors import RunError
from crosstask.recipe import Recipe
from tests.balancing.toys import make, take_steps, two_process_worker
from tests.spawned import in_processes
from tests.training.toys import UNEVEN, concatenated, toy_batch, toy_tasks

pytest.importorskip("torchjd", reason="needs the extra [balance]")

COMPARING = ("gradnorm", "conflict")
"""Those that look at gradients."""


def single() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def steps(*labelled, start: int = 0):
    return [[toy_batch(labels, seed=start + step)] for step, labels in enumerate(labelled)]


def reloaded(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("kind", BALANCERS)
def test_gradients_are_those_of_the_weighted_sum_of_the_means(kind):
    learner = make(BALANCERS[kind]())
    gradients = take_steps(single(), learner, steps(*UNEVEN, UNEVEN[0], start=5))
    batch = toy_batch(UNEVEN[0], seed=7)
    predictions = learner.network(batch.images)
    expected = {name: torch.zeros_like(value) for name, value in gradients.items()}
    # the weights of the last step: those learned before it, or, where gradients are compared anew, in it
    earlier = make(BALANCERS[kind]())
    take_steps(single(), earlier, steps(*UNEVEN, start=5))
    weigher = learner.balancer if kind == "conflict" else earlier.balancer
    for name, task in toy_tasks().items():
        loss = task.loss(predictions[name], batch.targets[name]).mean() * weigher.weight(f"supervised/{name}")
        parts = torch.autograd.grad(loss, learner.parameters(), retain_graph=True, materialize_grads=True)
        for key, part in zip(expected, parts, strict=True):
            expected[key] += part
    for name, value in expected.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", BALANCERS)
def test_what_is_learned_survives_a_checkpoint(kind):
    whole = make(BALANCERS[kind]())
    take_steps(single(), whole, steps(*UNEVEN, *UNEVEN))
    again = make(BALANCERS[kind]())
    again.load_state_dict(reloaded(whole.state_dict()))
    found, expected = (take_steps(single(), each, steps(*UNEVEN, start=9)) for each in (again, whole))
    assert again.balancer.weights() == whole.balancer.weights()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_step_without_any_label_changes_no_weight(kind):
    learner = make(BALANCERS[kind]())
    take_steps(single(), learner, steps(*UNEVEN))
    before = {} if kind == "conflict" else learner.balancer.weights()
    gradients = take_steps(single(), learner, steps([set(), set()]))
    assert not any(gradient.any() for gradient in gradients.values())
    assert learner.balancer.weights() == before


@pytest.mark.parametrize("kind", sorted(set(BALANCERS) - set(COMPARING)))
def test_accumulation_equals_one_big_batch(kind):
    micro = [[toy_batch(labels, seed) for seed, labels in enumerate(UNEVEN)]] * 2
    big = [[concatenated(step)] for step in micro]
    one, other = make(BALANCERS[kind]()), make(BALANCERS[kind]())
    found, expected = take_steps(single(), one, micro), take_steps(single(), other, big)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-6, atol=1e-12)
    assert one.balancer.weights() == pytest.approx(other.balancer.weights())


@pytest.mark.parametrize("kind", COMPARING)
def test_comparing_gradients_needs_whole_steps(kind):
    with pytest.raises(RunError, match=r"2 micro-batches: set training\.accumulate: 1"):
        take_steps(single(), make(BALANCERS[kind]()), [[toy_batch(labels) for labels in UNEVEN]])
    fabric = single()
    fabric.strategy.precision.scaler = object()
    with pytest.raises(RunError, match=r"training\.precision: bf16"):
        take_steps(fabric, make(BALANCERS[kind]()), steps(UNEVEN[0]))


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    kinds = [kind for kind in BALANCERS if kind != "equal"]
    in_processes(two_process_worker, str(tmp_path), kinds)
    for kind in kinds:
        learner = make(BALANCERS[kind]())
        both = [
            [concatenated([toy_batch(labels, seed=rank + 2 * step) for rank, labels in enumerate(UNEVEN)])]
            for step in range(3)
        ]
        expected = take_steps(single(), learner, both)
        for rank in range(2):
            found = torch.load(tmp_path / f"{kind}-{rank}.pt", weights_only=True)
            assert found["weights"] == pytest.approx(learner.balancer.weights(), rel=1e-5)
            for name, value in expected.items():
                torch.testing.assert_close(found["gradients"][name], value, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_recipe_names_it(kind):
    recipe = Recipe.load("demo", ["--balancing.kind", kind])
    tasks = recipe.tasks()
    assert type(recipe.learner(tasks, recipe.network(tasks)).balancer) is BALANCERS[kind]
