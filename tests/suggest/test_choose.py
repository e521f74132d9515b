"""The greedy choice against a slow one that values every set anew; its bounds; the calibration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from crosstask.suggest import choose as module
from crosstask.suggest.calibration import calibrate
from crosstask.suggest.choose import choose


def _features(count: int, width: int = 4, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _worth(features, errors, open_, labelled, scale, chosen):
    """Covered expected errors of all tasks, by three loops."""
    total = 0.0
    for task in range(errors.shape[1]):
        having = [i for i in range(len(features)) if labelled[i, task]]
        having += [i for i, of in chosen if of == task]
        for j in range(len(features)):
            if open_[j, task]:
                near = [np.exp(-((features[i] - features[j]) ** 2).sum() / scale[task]) for i in having]
                total += errors[j, task] * max(near, default=0.0)
    return total


def test_is_the_slow_greedy_choice():
    rng = np.random.default_rng(3)
    features, errors = _features(14), rng.uniform(0.2, 3, (14, 2))
    labelled = np.zeros((14, 2), bool)
    labelled[[0, 5], [0, 1]] = True
    costs, budget = [1.0, 2.5], 7.0
    scale = []
    for cost in costs:
        nearest = max(round(14 / (1 + budget / cost)), 1)
        distances = np.array([[((a - b) ** 2).sum() for b in features] for a in features])
        scale.append(2 * np.median(np.sort(distances, 1)[:, nearest] ** 0.5) ** 2)
    chosen, left = [], budget
    while True:
        options = [
            (i, t) for i, t in itertools.product(range(14), range(2))
            if not labelled[i, t] and (i, t) not in chosen and costs[t] <= left
        ]  # fmt: skip
        if not options:
            break
        before = _worth(features, errors, ~labelled, labelled, scale, chosen)

        def gain(pair, before=before):
            after = _worth(features, errors, ~labelled, labelled, scale, [*chosen, pair])
            return (after - before) / costs[pair[1]]

        chosen.append(max(options, key=gain))
        left -= costs[chosen[-1][1]]
    found = choose(features, errors, ~labelled, labelled, costs, budget)
    assert [(each.image, each.task) for each in found] == chosen
    assert all(first.value >= 0 for first in found)


def test_spends_no_more_than_the_budget_and_stops_when_everything_has_a_label():
    features, errors = _features(6), np.ones((6, 1))
    none = np.zeros((6, 1), bool)
    assert len(choose(features, errors, ~none, none, [3.0], 10)) == 3
    assert sorted(each.image for each in choose(features, errors, ~none, none, [1.0], 100)) == list(range(6))
    assert choose(features, errors, ~none, none, [3.0], 2) == []


def test_near_duplicates_are_not_bought_twice():
    base = _features(4, 8)
    features = np.repeat(base, 5, 0)
    none = np.zeros((20, 1), bool)
    found = choose(features, np.ones((20, 1)), ~none, none, [1.0], 4)
    assert sorted(each.image // 5 for each in found) == [0, 1, 2, 3]


def test_many_images_are_stood_for_by_a_bounded_number(monkeypatch):
    monkeypatch.setattr(module, "REFERENCES", 40)
    monkeypatch.setattr(module, "CANDIDATES", 30)
    features, errors = _features(500), np.random.default_rng(0).uniform(0, 2, (500, 1))
    none = np.zeros((500, 1), bool)
    offer = module._Offer(features, errors[:, 0], ~none[:, 0], none[:, 0], np.arange(40), 5, np.random.default_rng(0))
    assert offer.kernel.shape == (30, 40)
    assert set(np.argsort(-errors[:, 0])[:15]) <= set(offer.candidates.tolist())
    assert len({each.image for each in choose(features, errors, ~none, none, [1.0], 5)}) == 5


def test_a_budget_for_more_labels_than_candidates_is_spent(monkeypatch):
    monkeypatch.setattr(module, "REFERENCES", 40)
    monkeypatch.setattr(module, "CANDIDATES", 30)
    features, errors = _features(100), np.random.default_rng(0).uniform(0, 2, (100, 1))
    none = np.zeros((100, 1), bool)
    none[:10] = True
    many = [each.image for each in choose(features, errors, ~none, none, [1.0], 75)]
    assert len(set(many)) == 75
    assert set(many).isdisjoint(range(10))
    assert sorted(each.image for each in choose(features, errors, ~none, none, [1.0], 500)) == list(range(10, 100))


def test_the_width_of_many_images_is_what_one_label_of_so_many_stands_for(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "_width", lambda references, nearest: asked.append(nearest) or 1.0)
    open_ = np.arange(500) >= 15
    rng = np.random.default_rng(0)
    module._Offer(_features(500), np.ones(500), open_, ~open_, np.arange(100), 5, rng)
    assert asked == [100 / (15 + 5)]


def test_calibration_finds_what_explains_errors_and_its_units_are_the_mean_error():
    rng = np.random.default_rng(0)
    doubts = rng.uniform(0, 1, (60, 3))
    errors = 0.02 * (1 + 2 * doubts[:, 0]) + rng.normal(0, 0.001, 60)
    fitted = calibrate(doubts, errors)
    assert fitted.explained > 0.9
    assert fitted.expected(doubts).mean() == pytest.approx(1, abs=0.01)
    assert np.corrcoef(fitted.expected(doubts), errors)[0, 1] > 0.98


def test_leaving_one_out_is_what_refitting_without_it_gives():
    from crosstask.suggest.calibration import _left_out

    rng = np.random.default_rng(1)
    x, penalty = rng.normal(size=(12, 2)), 3.0
    y = x[:, 0] + rng.normal(size=12)
    x, y = x - x.mean(0), y - y.mean()
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    slow = 0.0
    for out in range(12):
        keep = np.arange(12) != out
        design = np.c_[np.ones(11), x[keep]]
        weights = np.linalg.solve(design.T @ design + penalty * np.diag([0, 1, 1]), design.T @ y[keep])
        slow += (y[out] - weights @ [1, *x[out]]) ** 2
    assert _left_out(left, values, y, penalty) == pytest.approx(slow, rel=1e-6)


def test_doubts_that_say_nothing_leave_all_errors_alike_and_too_few_images_leave_doubts_as_they_are():
    rng = np.random.default_rng(2)
    nothing = calibrate(rng.normal(size=(40, 3)), rng.uniform(1, 2, 40))
    assert nothing.explained < 0.1
    few = calibrate(np.array([[0.2], [0.6]]), np.array([1.0, 2.0]))
    assert few.images == 0
    assert few.expected(np.array([[0.2], [0.6]])).tolist() == pytest.approx([0.5, 1.5])
