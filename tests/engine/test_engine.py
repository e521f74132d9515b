"""Batch work in this process and on others: every item once, whoever is killed on the way."""

from __future__ import annotations

import os
import time

import pytest

from crosstask.engine import Engine
from crosstask.errors import RecipeError, RunError
from tests.engine.made import Kept, die, patient, refuse, slow_first, square

HERE, TWO = Engine(workers=0), Engine(workers=2)


@pytest.mark.parametrize("engine", [HERE, Engine(workers=1), TWO, Engine(workers=10**9)], ids=str)
def test_values_are_those_of_a_loop(engine):
    items = list(range(7))
    assert [(each.item, each.value, each.status) for each in engine.map(square, items, ordered=True)] == [
        (item, item * item, "done") for item in items
    ]
    assert sorted(each.value for each in engine.map(square, items)) == [item * item for item in items]


def test_order_is_kept_and_nothing_runs_far_ahead(monkeypatch):
    items = Looked(200)
    for place, outcome in enumerate(TWO.map(slow_first, items, ordered=True)):
        assert outcome.item == place
        assert max(items.seen) <= place + 4 * 2
        if place == 20:
            break


class Looked(list):
    """Items that remember which of them were asked for."""

    def __init__(self, count):
        super().__init__(range(count))
        self.seen = []

    def __getitem__(self, index):
        self.seen.append(index)
        return super().__getitem__(index)


def test_what_is_complete_is_passed_over_and_counted():
    said = []
    outcomes = list(HERE.map(square, [1, 2, 3], done=lambda item: item == 2, progress=lambda *now: said.append(now)))
    assert [each.item for each in outcomes] == [1, 3]
    assert said == [(1, 3), (2, 3), (3, 3)]


def test_an_item_whose_worker_is_killed_is_done_again_and_the_others_once(tmp_path):
    work = Kept(tmp_path, frozenset({3}))
    outcomes = list(TWO.map(work, list(range(8)), ordered=True))
    assert [each.value for each in outcomes] == [item * item for item in range(8)]
    assert [len(work.times(item)) for item in range(8)] == [1, 1, 1, 2, 1, 1, 1, 1]
    assert len(set(work.times(3))) == 2


def test_an_item_that_kills_every_worker_is_given_up_and_costs_no_other():
    outcomes = {each.item: each for each in Engine(workers=1).map(die, [0, 1, 2], attempts=2)}
    assert outcomes[1].status == "died"
    assert outcomes[1].value is None
    assert outcomes[1].reason == "killed by SIGKILL"
    assert (outcomes[0].value, outcomes[2].value) == (0, 2)


def test_errors_are_those_of_the_function():
    with pytest.raises(ValueError, match="item 2 is odd"):
        list(HERE.map(refuse, [1, 2]))
    with pytest.raises(RuntimeError, match=r"Odd: item 2 is odd"):  # it cannot be built again here
        list(Engine(workers=1).map(refuse, [1, 2, 3]))


def test_a_fresh_process_for_each(tmp_path):
    work = Kept(tmp_path)
    list(Engine(workers=1).map(work, [0, 1, 2], fresh=True))
    pids = [work.times(item)[0] for item in range(3)]
    assert len(set(pids)) == 3
    assert str(os.getpid()) not in pids


def test_what_is_in_work_is_told_to_stop_and_nothing_more_begins():
    start = time.monotonic()
    running = []
    found = list(
        TWO.map(
            patient,
            [0, 1, 2],
            fresh=True,
            stop=lambda: time.monotonic() > start + 1.5,
            tick=lambda now: running.append(len(now)),
        )
    )
    assert time.monotonic() < start + 15
    assert sorted(each.item for each in found) == [0, 1]
    assert {each.value or each.status for each in found} <= {"told", "interrupted"}
    assert max(running) == 2


def test_work_that_cannot_be_sent_is_one_line():
    with pytest.raises(RunError, match="cannot be sent to other processes"):
        next(TWO.map(lambda item: item, [1]))
    assert [each.value for each in HERE.map(lambda item: item, [1])] == [1]


@pytest.mark.parametrize("on", ["", "dask", "ray://", "ray://host", "host:x", "s3://a:1"])
def test_an_engine_that_is_none_is_named(on):
    with pytest.raises(RecipeError, match=r"--on is .*give processes, ray"):
        Engine(on)


def test_nothing_to_do_is_fine():
    assert list(TWO.map(square, [])) == []
