from __future__ import annotations

import math
from dataclasses import replace

import pytest

from crosstask.errors import UserError
from crosstask.evaluation.results import Number, Results, TaskResults
from crosstask.training.selection import Selection


def results(miou: float, error: float) -> Results:
    def task(name: str, value: float, better: int) -> TaskResults:
        return TaskResults("kind", "protocol", name, {name: Number(value, value, value, better)}, 1, 1)

    return Results({"semantic": task("miou", miou, 1), "depth": task("abs", error, -1)}, images=1)


def test_score_is_the_mean_relative_gain_over_the_first_evaluation():
    selection = Selection()
    assert selection.score(results(0.2, 1.0)) == 0.0
    assert selection.score(results(0.3, 0.8)) == pytest.approx((0.5 + 0.2) / 2)


@pytest.mark.parametrize("first", [0.0, 1e-6, 0.3])
def test_a_task_whose_first_value_was_tiny_does_not_decide_alone(first: float):
    def scaled(accuracy: float, error: float) -> Results:
        found = results(accuracy, error)
        return Results({"semantic": replace(found.tasks["semantic"], scale=100.0), "depth": found.tasks["depth"]}, 1)

    selection = Selection()
    selection.score(scaled(first, 1.0))
    half_a_point, far_better = selection.score(scaled(first + 0.5, 1.0)), selection.score(scaled(first, 0.8))
    assert 0 < half_a_point < far_better


def test_tasks_nobody_could_measure_are_left_out():
    selection = Selection()
    selection.score(results(0.2, math.nan))
    assert selection.score(results(0.3, math.nan)) == pytest.approx(0.5)
    assert Selection().score(results(math.nan, math.nan)) == -math.inf


def test_monitor_names_one_number_and_less_is_better_for_errors():
    assert Selection("depth/abs").score(results(0.2, 0.7)) == -0.7
    with pytest.raises(UserError, match=r"training.monitor: 'depth/abss' is not measured; did you mean 'depth/abs'"):
        Selection("depth/abss").score(results(0.2, 0.7))


def test_best_and_misses_survive_a_round_trip():
    selection = Selection()
    assert selection.update(1.0, 10)
    assert not selection.update(0.5, 20)
    assert not selection.update(math.nan, 30)
    again = Selection()
    again.load_state_dict(selection.state_dict())
    assert (again.best, again.best_iteration, again.misses) == (1.0, 10, 2)
    assert again.update(2.0, 40)
    assert again.misses == 0
