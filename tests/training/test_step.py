"""Gradients do not depend on how a step is cut up."""

from __future__ import annotations

import pytest
import torch
from lightning_fabric import Fabric

from crosstask.errors import RunError
from crosstask.tasks.term import Term
from crosstask.training.step import accumulate_gradients
from crosstask.training.terms import RunningMeans
from tests.spawned import in_processes
from tests.training.toys import UNEVEN, concatenated, gradients, learner, toy_batch, toy_tasks, two_process_worker


def single() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def close(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            found[name], expected[name], rtol=1e-6, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_gradients_are_those_of_the_mean_over_known_entries():
    batch = toy_batch(UNEVEN[0])
    model = learner()
    predictions = model.network(batch.images)
    loss = sum(task.loss(predictions[name], batch.targets[name]).mean() for name, task in toy_tasks().items())
    loss.backward()
    close(gradients(single(), [batch]), {name: p.grad for name, p in model.named_parameters()})


def test_accumulation_equals_one_big_batch():
    batches = [toy_batch(labels, seed) for seed, labels in enumerate(UNEVEN)]
    close(gradients(single(), batches), gradients(single(), [concatenated(batches)]))


def test_two_processes_equal_one(tmp_path):
    in_processes(two_process_worker, str(tmp_path))
    batches = [toy_batch(labels, seed) for seed, labels in enumerate(UNEVEN)]
    expected = gradients(single(), [concatenated(batches)])
    for rank in range(2):
        close(torch.load(tmp_path / f"{rank}.pt", weights_only=True), expected)


def test_a_step_without_any_label_has_zero_gradients_everywhere():
    found = gradients(single(), [toy_batch([set(), set()])])
    assert all(gradient is not None and not gradient.any() for gradient in found.values())


def test_a_loss_that_is_not_finite_names_term_and_samples():
    batch = toy_batch([{"depth"}, {"semantic"}], seed=5)
    batch.images[0, 0, 0, 0] = float("inf")
    fabric = single()
    module, _ = fabric.setup(model := learner(), torch.optim.SGD(model.parameters(), lr=0.1))
    torch.nn.init.constant_(model.network.heads["depth"].bias, float("nan"))
    with pytest.raises(RunError, match=r"supervised/depth.*5-0, 5-1") as caught:
        accumulate_gradients(fabric, module, [batch], iteration=0, iterations=1, seed=0)
    assert "\n" not in str(caught.value)


def test_running_means_weigh_by_count():
    means = RunningMeans()
    for total, count in ((6.0, 3.0), (10.0, 1.0)):
        means.add(
            {"a": Term(torch.tensor(total), torch.tensor(count)), "b": Term(torch.tensor(0.0), torch.tensor(0.0))}
        )
    found, counts = means.read(means.stacked())
    assert found["a"] == 4.0
    assert counts == {"a": 4.0, "b": 0.0}
    assert found["b"] != found["b"]  # nothing was counted: NaN, not 0
    assert means.sums == {}
