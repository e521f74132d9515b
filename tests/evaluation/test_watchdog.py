from __future__ import annotations

import pytest
import torch

from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.watchdog import doubts
from tests.evaluation.toys import Pixelwise, batch, every_kind


class Always(torch.nn.Module):
    """Says the same of every image: class 1 of everything."""

    def __init__(self, tasks) -> None:
        super().__init__()
        self.tasks = tasks

    def forward(self, images):
        out = {}
        for name, task in self.tasks.items():
            value = torch.zeros(len(images), task.channels, *images.shape[-2:])
            value[:, min(1, task.channels - 1)] = 1.0
            out[name] = value if task.dense else value[..., 0, 0]
        return out


def results(network_of, tasks):
    return evaluate(network_of(tasks), [batch(12)], tasks, resamples=0)


@pytest.fixture
def tasks():
    return {name: task for name, task in every_kind().items() if name in ("semantic", "category", "depth")}


def test_a_network_that_predicts_one_class_is_told_of(tasks):
    said = doubts(results(Always, tasks))
    assert [line.split(":")[0] for line in said] == ["semantic", "category"]
    assert "'floor' is the only class that is ever right, of 3" in said[0]


def test_a_network_that_tells_classes_apart_raises_no_word(tasks):
    found = results(Pixelwise, {"semantic": tasks["semantic"]})
    assert sum(value > 0 for value in found.tasks["semantic"].per_class.values()) > 1
    assert doubts(found) == []


def test_what_is_no_better_than_the_prior_is_told_of_and_what_is_better_is_not(tasks):
    only = {"depth": tasks["depth"]}
    far, near = results(Pixelwise, only), results(Always, only)
    worse, better = sorted((far, near), key=lambda each: -each.tasks["depth"].score)
    assert "is not better than" in doubts(worse, better)[0]
    assert "is not better than" in doubts(better, better)[0]
    assert doubts(better, worse) == []


def test_a_task_without_labels_is_told_of(tasks):
    whole = batch(3)
    whole.targets["depth"][:] = float("nan")
    found = evaluate(Pixelwise(tasks), [whole], {"depth": tasks["depth"]}, resamples=0)
    assert "no label to measure it with" in doubts(found)[0]
