"""Nothing hangs: workers that die or stop, signals, schedulers, several processes of which one fails."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torchvision import tv_tensors

from crosstask.data.loading.faults import explained
from crosstask.data.loading.loader import evaluation_loader, training_loader
from crosstask.data.sample import Sample
from crosstask.experiment import Experiment
from crosstask.objectives import OBJECTIVES
from crosstask.recipe import Recipe
from crosstask.training import interrupt, requeue
from crosstask.training.checkpoint import load_weights
from crosstask.training.interrupt import Interrupt
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny
from tests.training.test_state import Faulty, records

MAIN = "import sys, torch; torch.set_num_threads(1); from crosstask.cli import main; sys.exit(main())"


class Ending:
    """A data set whose second sample ends its worker by a signal."""

    ids: list[str] = ["a", "b", "c"]  # noqa: RUF012

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self):
        return 3

    def __getitem__(self, index):
        os.kill(os.getpid(), self.number)
        time.sleep(60)

    def labelled(self):
        return torch.ones(3, 1, dtype=torch.bool)


@pytest.mark.parametrize("loader", [partial(training_loader, seed=0), evaluation_loader])
@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGKILL, "a process that loads data was killed"),
        (signal.SIGSTOP, "no batch was loaded within 1 seconds"),
    ],
)
def test_a_worker_that_is_killed_or_stopped_ends_the_run_with_the_cause(loader, number, cause):
    others = multiprocessing.active_children()  # of fixtures of other tests
    batches = iter(loader(Ending(number), lambda sample, _: sample, batch_size=1, workers=1, timeout=1))
    with pytest.raises(RuntimeError) as caught:
        next(batches)
    assert cause in explained(caught.value)
    workers = [each for each in multiprocessing.active_children() if each not in others]
    assert len(workers) == (number == signal.SIGSTOP)
    del batches, caught
    gc.collect()
    for worker in workers:  # it was woken, so that it heard that it is to end
        worker.join(20)
        assert worker.exitcode == 0


class Loaded(Ending):
    """A data set of which everything can be loaded."""

    def __getitem__(self, index):
        return Sample(self.ids[index], tv_tensors.Image(torch.ones(3, 4, 5)), {})


def test_a_worker_that_is_stopped_when_it_has_to_hand_over_its_batch_is_woken():
    others = multiprocessing.active_children()
    batches = training_loader(Loaded(0), lambda sample, _: sample, batch_size=1, seed=0, workers=1, timeout=1)
    next(batches)
    (worker,) = [each for each in multiprocessing.active_children() if each not in others]
    time.sleep(1)  # further batches are on their way
    os.kill(worker.pid, signal.SIGSTOP)
    assert len(next(batches)) == 1
    batches.close()


STOPPED = """
import multiprocessing, os, signal
from crosstask.data.loading.loader import evaluation_loader, training_loader
from tests.training.test_processes import Ending

batches = training_loader(Ending(signal.SIGSTOP), print, batch_size=1, seed=0, workers=1)
(worker,) = multiprocessing.active_children()
os.waitid(os.P_PID, worker.pid, os.WSTOPPED)
"""


def test_a_stopped_worker_does_not_hold_up_the_end_of_the_process():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", STOPPED], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out "
         "of shared memory. Please try to raise your shared memory limit.", "/dev/shm"),
        ("unable to write to file </torch_7_1_0>: No space left on device (28)", "/dev/shm"),
        ("received 0 items of ancdata", "ulimit -n 4096"),
        ("[Errno 24] Too many open files", "ulimit -n 4096"),
        ("DataLoader worker (pid(s) 7) exited unexpectedly", "was killed"),
    ],
)  # fmt: skip
def test_what_torch_says_is_explained(message, cause):
    assert cause in explained(RuntimeError(message))
    assert explained(RuntimeError("size mismatch")) is None
    assert explained(RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback")) is None


class Full(Ending):
    """A data set of which nothing can be handed over: what torch says in a worker where /dev/shm is full."""

    def __getitem__(self, index):
        raise RuntimeError("unable to write to file </torch_7_1_0>: No space left on device (28)")


def test_a_full_shared_memory_in_a_worker_is_told_with_the_remedy():
    batches = training_loader(Full(0), lambda sample, _: sample, batch_size=1, seed=0, workers=1, timeout=60)
    with pytest.raises(RuntimeError) as caught:
        next(batches)
    assert "/dev/shm) is full: make it larger" in explained(caught.value)


def test_the_scheduler_is_asked_to_go_on_later(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(OBJECTIVES, "faulty", Faulty)
    monkeypatch.setattr(Faulty, "at", 1)
    monkeypatch.setattr(Faulty, "happens", "requeue")
    recipe = Recipe.load(write_recipe(tmp_path, write_tiny(tmp_path)), ["--objectives", "faulty"])
    outcome = Experiment(recipe, tmp_path / "run", quiet=True).fit()
    assert (outcome.status, outcome.iteration, outcome.requeue) == ("interrupted", 2, True)
    script = tmp_path / "scontrol"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    requeue.requeue()
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    script.write_text("#!/bin/sh\necho no such job >&2\nexit 1\n")
    requeue.requeue()
    assert "the job 77 cannot be requeued (no such job): submit it again" in caplog.text


def test_a_loop_that_hangs_is_ended_all_the_same(monkeypatch, capfd):
    ended = []
    monkeypatch.setattr(interrupt.os, "_exit", ended.append)
    with Interrupt(grace=0.05) as held:
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 10
        while not ended and time.monotonic() < deadline:
            time.sleep(0.02)
    assert held.requested
    assert ended[0] == 128 + signal.SIGTERM
    assert "told to end by SIGTERM, but nothing moved" in capfd.readouterr().err
    ended.clear()
    with Interrupt(grace=30) as held:
        os.kill(os.getpid(), signal.SIGINT)
    assert held.requested
    assert not ended


# -- several processes ---------------------------------------------------------------------------------------------


def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def torchrun(rank: int, world: int, at: str) -> dict[str, str]:
    """What torchrun tells a process, one on each of ``world`` nodes."""
    return {
        "RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": "1",
        "GROUP_RANK": str(rank), "TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": at,
    }  # fmt: skip


def slurm(rank: int, world: int, at: str) -> dict[str, str]:
    """What srun tells a task, one on each of ``world`` nodes."""
    return {
        "SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": str(world), "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": str(world), "SLURM_NODEID": str(rank), "SLURM_PROCID": str(rank), "SLURM_LOCALID": "0",
        "SLURM_NODELIST": "127.0.0.1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": at,
    }  # fmt: skip


def started(environment, folder: Path, *flags: str, world: int = 2, code: str = MAIN) -> list[subprocess.Popen]:
    at = port()
    command = [sys.executable, "-W", "ignore", "-c", code, "train", str(folder / "recipe.yaml"), "--quiet", *flags]
    return [
        subprocess.Popen(command, env={**os.environ, **environment(rank, world, at)}, stderr=subprocess.PIPE, text=True)
        for rank in range(world)
    ]


def ended(processes: list[subprocess.Popen], seconds: float = 240) -> tuple[list[int], str]:
    """Exit codes, and the errors that all of them said."""
    said = [process.communicate(timeout=seconds)[1] for process in processes]
    lines = [line for text in said for line in text.splitlines() if line.startswith("crosstask: error")]
    return [process.returncode for process in processes], "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    write_recipe(folder, write_tiny(folder), "evaluate_every: 2, ema: 0.5")
    return folder


NODES = ("--training.nodes", "2")


@pytest.mark.slow
@pytest.mark.parametrize("environment", [torchrun, slurm])
def test_two_nodes_are_one_run(folder, tmp_path, environment):
    codes, said = ended(started(environment, folder, "--out", str(tmp_path / "run"), *NODES))
    assert (codes, said) == ([0, 0], "")
    run = Run(tmp_path / "run")
    assert json.loads((run.path / "environment.json").read_text())["processes"] == 2
    assert [line["iteration"] for line in records(run.path) if line["kind"] == "train"] == [1, 2, 3, 4]
    # the validation numbers are those of what was saved
    from crosstask.trained import load_run

    trained = load_run(run.path, "last")
    measured = trained_validation(trained)
    logged = next(line for line in records(run.path) if line["kind"] == "validation" and line["iteration"] == 4)[
        "metrics"
    ]
    for name, value in measured.items():
        assert logged[name] == pytest.approx(value, rel=1e-5), name


def trained_validation(trained) -> dict[str, float]:
    from lightning_fabric import Fabric

    from crosstask.training.plan import Plan

    results = Plan.of(trained.recipe).validation_results(trained.network, Fabric(accelerator="cpu", devices=1), int)
    numbers = {
        f"{name}/{key}": number.value for name, task in results.tasks.items() for key, number in task.numbers.items()
    }
    return {name: value for name, value in numbers.items() if value == value}


@pytest.mark.slow
@pytest.mark.parametrize("environment", [torchrun, slurm])
def test_processes_that_the_recipe_does_not_know_of_are_refused(folder, tmp_path, environment):
    codes, said = ended(started(environment, folder, "--out", str(tmp_path / "run")))
    assert codes == [2, 1]
    assert said.count("\n") == 0
    assert "started 2 processes on 2 nodes: set training.devices: 1 and training.nodes: 2" in said
    assert not (tmp_path / "run").exists()


FAILING = """
import os, sys, signal, torch
torch.set_num_threads(1)
from crosstask.training import together
together.SILENCE = 8.0
from crosstask.objectives import supervised
before = supervised.Supervised.forward
def forward(self, step):
    if step.iteration == 2 and os.environ["RANK"] == WHO:
        FAIL
    return before(self, step)
supervised.Supervised.forward = forward
from crosstask.cli import main
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("who", ["0", "1"])
@pytest.mark.parametrize(
    ("fail", "line"),
    [
        ("from crosstask.errors import RunError; raise RunError('this went wrong')", "this went wrong"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "without a word|sign of life"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "sign of life"),
    ],
    ids=["error", "killed", "stopped"],
)
def test_the_end_of_one_is_the_end_of_all_with_one_line(folder, tmp_path, who, fail, line):
    code = FAILING.replace("WHO", repr(who)).replace("FAIL", fail)
    processes = started(torchrun, folder, "--out", str(tmp_path / "run"), *NODES, code=code)
    other = processes[1 - int(who)]
    try:
        other.wait(300)
        if "SIGSTOP" in fail:
            processes[int(who)].kill()
        codes, said = ended(processes)
    finally:
        for process in processes:
            process.kill()
    assert 0 not in codes
    assert len(said.splitlines()) == 1, said
    assert any(part in said for part in line.split("|"))
    again, said = ended(started(torchrun, folder, "--out", str(tmp_path / "run"), *NODES, "--resume", "auto"))
    assert (again, said) == ([0, 0], "")
    assert load_weights(Run(tmp_path / "run").checkpoints.find() / "network.safetensors")


@pytest.mark.slow
def test_few_open_files_are_one_line(folder, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", MAIN, "train", str(folder / "recipe.yaml"), "--quiet",
               "--out", str(tmp_path / "run"), "--data.workers", "2", "--training.batch_size", "8"]  # fmt: skip
    for most in (24, 48):
        done = subprocess.run(
            ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *command], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1
        assert "too many open files for the processes that load data" in done.stderr
        assert "ulimit -n 4096" in done.stderr
