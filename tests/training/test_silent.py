"""Terms that have nothing to learn from are told of."""

from __future__ import annotations

import logging
import math

from lightning_fabric import Fabric

from crosstask.balancing.dwa import DynamicWeightAverage
from crosstask.learner.learner import Learner
from crosstask.objectives import Supervised
from crosstask.training.silent import SilentTerms
from crosstask.training.step import accumulate_gradients
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks


def told(caplog, *means, iterations=10_000, weight=1.0):
    watch = SilentTerms(iterations)
    with caplog.at_level(logging.WARNING):
        for index, mean in enumerate(means, 1):
            watch.look(50 * index, {"a/b": mean, "a/c": 1.0}, {"a": weight})
    return [record.getMessage() for record in caplog.records]


def test_a_word_once_after_many_iterations_of_nothing(caplog):
    (said,) = told(caplog, *[math.nan] * 20)
    assert said.startswith("objectives.a: b was nothing in 300 iterations")


def test_an_exact_zero_is_nothing(caplog):
    assert told(caplog, *[0.0] * 6)


def test_anything_at_all_begins_patience_anew(caplog):
    assert not told(caplog, *[math.nan] * 5, 1e-9, *[math.nan] * 5)


def test_objectives_that_do_not_count_yet_are_left_alone(caplog):
    assert not told(caplog, *[0.0] * 20, weight=0.0)


def test_short_runs_are_told_at_their_half(caplog):
    assert not told(caplog, math.nan, iterations=150 * 2)
    assert told(caplog, math.nan, math.nan, math.nan, iterations=150 * 2)


def test_a_resumed_run_tells_at_the_same_iteration_and_once(caplog):
    """Whether the checkpoint was written between two looks or at one."""
    watch = SilentTerms(10_000)
    for iteration in (50, 100, 150, 200, 250):
        watch.look(iteration, {"a/b": math.nan}, {"a": 1.0})
    state = watch.state_dict()
    for _ in range(2):
        again = SilentTerms(10_000)
        again.load_state_dict(state)
        again.look(299, {"a/b": math.nan}, {"a": 1.0})
        assert not caplog.records
        again.look(300, {"a/b": math.nan}, {"a": 1.0})
        assert [record.getMessage()[:48] for record in caplog.records] == [
            "objectives.a: b was nothing in 300 iterations: no"[:48]
        ]
        caplog.clear()
        told = SilentTerms(10_000)
        told.load_state_dict(again.state_dict())
        told.look(900, {"a/b": math.nan}, {"a": 1.0})
        assert not caplog.records


def test_a_checkpoint_that_does_not_know_of_silence_begins_anew(caplog):
    watch = SilentTerms(10_000)
    watch.begin(1000)
    watch.look(1299, {"a/b": math.nan}, {"a": 1.0})
    assert not caplog.records
    watch.look(1300, {"a/b": math.nan}, {"a": 1.0})
    assert len(caplog.records) == 1


def test_terms_over_all_images_are_absent_for_balancers_where_no_image_has_labels():
    tasks = toy_tasks()
    network = ToyNetwork(tasks)
    seen = []

    class Recorder(DynamicWeightAverage):
        def learn(self, means):
            seen.append(set(means()))

    learner = Learner(
        network, {"supervised": Supervised(tasks, network, average="images")}, balancer=Recorder()
    ).double()
    fabric = Fabric(accelerator="cpu", devices=1)
    module = fabric.setup(learner)
    accumulate_gradients(fabric, module, [toy_batch([{"depth"}, set()])], iteration=0, iterations=1, seed=0)
    assert seen == [{"supervised/depth"}]
