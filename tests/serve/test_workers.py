"""Workers that die, hang or cannot be started."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from crosstask.errors import UserError
from crosstask.serve.pool import Worker
from tests.serve.conftest import picture, serving, until
from tests.serve.test_answers import agrees


@pytest.fixture(scope="module")
def one(run):
    """A server with one worker, and little patience."""
    with serving(run, seconds=5.0) as server:
        yield server


def test_a_worker_killed_in_the_middle_answers_503_and_is_replaced(one, model):
    (worker,) = one.pids
    os.kill(worker, signal.SIGSTOP)  # so that the request is surely in flight
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(one.client.post, "/predict", content=picture(0))
        until(lambda: one.pool._idle.empty())
        rest = [pool.submit(one.client.post, "/predict", content=picture(seed)) for seed in (1, 2)]
        until(lambda: one.pool.asked == 3)
        os.kill(worker, signal.SIGKILL)
        assert first.result().status_code == 503
        assert "again" in first.result().json()["error"]["message"]
        assert first.result().headers["retry-after"]
        for seed, answer in enumerate(rest, 1):  # those that waited are answered by the next, and rightly
            assert answer.result().status_code == 200, answer.result().text
            assert agrees(answer.result().json(), picture(seed), model)
    assert worker not in one.pids
    assert one.client.get("/health").json()["workers"]["restarts"] == 1


def test_one_killed_while_idle_is_missed_by_nobody(one, model):
    (worker,) = one.pids
    os.kill(worker, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(worker)] if psutil.pid_exists(worker) else [], timeout=5)
    assert agrees(one.client.post("/predict", content=picture(7)).json(), picture(7), model)


def test_one_that_is_dead_and_not_yet_buried_is_missed_by_nobody(one, model, monkeypatch):
    until(lambda: one.pool.ready)
    (worker,) = one.pids
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in one.pids)
    monkeypatch.setattr(Worker, "alive", property(lambda self: True))  # as before the news arrives
    assert agrees(one.client.post("/predict", content=picture(9)).json(), picture(9), model)


def test_one_that_hangs_is_ended_in_time(one, model):
    (worker,) = one.pids
    os.kill(worker, signal.SIGSTOP)
    began = time.monotonic()
    answer = one.client.post("/predict", content=picture(0))
    assert answer.status_code == 504
    assert "5 seconds" in answer.json()["error"]["message"]
    assert time.monotonic() - began < 20
    until(lambda: one.pool.ready and worker not in one.pids)
    until(lambda: not psutil.pid_exists(worker))
    assert agrees(one.client.post("/predict", content=picture(8)).json(), picture(8), model)


def test_memory_stays_bounded(served):
    def resident() -> int:
        return sum(psutil.Process(pid).memory_info().rss for pid in served.pids)

    data = picture(1, (48, 64))

    def ask(count: int) -> None:
        for _ in range(count):
            assert served.client.post("/predict", content=data).status_code == 200

    ask(40)
    before, own = resident(), psutil.Process().memory_info().rss
    ask(200)
    assert resident() - before < 8e6
    assert psutil.Process().memory_info().rss - own < 8e6


def test_no_run_is_said_before_anything_listens(tmp_path):
    with pytest.raises(UserError, match="no recipe"), serving(tmp_path):
        pass


def test_code_of_strangers_is_not_run(run, tmp_path):
    copy = tmp_path / "stranger"
    copy.mkdir()
    recipe = (run / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(recipe.replace("kind: multitask", "class_path: os.getcwd"))
    assert "os.getcwd" in (copy / "recipe.yaml").read_text()
    with pytest.raises(UserError, match="--trust"), serving(copy):
        pass
