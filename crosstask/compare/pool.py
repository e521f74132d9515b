"""Runs in child processes, several at once.

A child is forked off a server that has imported everything, so it starts at once, and what it needs is its own: memory
is measured per run, and a crash costs one run.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch

from crosstask.compare.cell import run_cell
from crosstask.errors import UserError
from crosstask.recipe import Recipe
from crosstask.training.interrupt import Interrupt
from crosstask.writing import write

_TICK = 0.5

Status = Literal["finished", "interrupted", "busy", "failed"]


@dataclass(frozen=True)
class Job:
    """A run to be done: its recipe, its folder, and its name for people."""

    recipe: Recipe
    path: Path
    name: str


@dataclass(frozen=True)
class Ended:
    """How a job ended and after how long; ``message`` says why it failed."""

    job: Job
    status: Status
    message: str
    seconds: float


def do(
    jobs: Sequence[Job], at_once: int, tick: Callable[[list[Job]], object] = lambda running: None
) -> Iterator[Ended]:
    """Do jobs, in order, ``at_once`` at a time, and tell of each as it ends.

    Each process gets its share of the threads that torch would use alone. The first SIGINT or SIGTERM is passed on to
    the running jobs, which finish their step and save; no further job is started. A second one ends them at once.

    Args:
        jobs: what to do.
        at_once: child processes.
        tick: called twice a second with the jobs that are running.
    """
    waiting = list(reversed(jobs))
    running: list[_Child] = []
    passed_on = False
    threads = max(torch.get_num_threads() // at_once, 1)
    try:
        with Interrupt(grace=None) as interrupt:
            while running or (waiting and not interrupt.requested):
                while waiting and len(running) < at_once and not interrupt.requested:
                    running.append(_Child(waiting.pop(), threads))
                if interrupt.requested and not passed_on:
                    passed_on = True
                    for child in running:
                        child.signal(signal.SIGINT)
                for child in _ended(running):
                    running.remove(child)
                    yield child.ended()
                tick([child.job for child in running])
    finally:
        for child in running:
            child.process.terminate()


class _Child:
    """A job in a process of its own."""

    def __init__(self, job: Job, threads: int) -> None:
        context = _context()
        self.job, self.told = job, False
        self.receiver, sender = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_work, args=(sender, job, threads))
        self.started = time.monotonic()
        self.process.start()
        sender.close()

    def signal(self, number: int) -> None:
        # Not asked whether it is alive: the server that would know gets the signals of the whole group and may be gone.
        assert self.process.pid is not None
        self.told = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def ended(self) -> Ended:
        """What the process said before it ended, or that it said nothing."""
        try:
            status, message = self.receiver.recv()
        except EOFError:
            self.process.join()
            status, message = ("interrupted", "") if self.told else ("failed", _death(self.process.exitcode))
        self.process.join()
        return Ended(self.job, status, message, time.monotonic() - self.started)


def _death(code: int | None) -> str:
    reason = ": killed, perhaps for want of memory; try fewer --jobs" if code == -signal.SIGKILL else ""
    return f"the process ended with code {code}{reason}"


def _ended(running: Sequence[_Child]) -> list[_Child]:
    """Those of the children that have something to say, after a while at most."""
    ready = connection.wait([child.receiver for child in running], timeout=_TICK)
    return [child for child in running if child.receiver in ready]


def _context() -> ForkServerContext:
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([run_cell.__module__])
    return context


def _work(sender: Connection, job: Job, threads: int) -> None:
    """The main function of a child."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C in a terminal goes to the parent alone, which passes it on once
    torch.set_num_threads(threads)
    try:
        sender.send((run_cell(job.recipe, job.path), ""))
    except KeyboardInterrupt:
        sender.send(("interrupted", ""))
    except UserError as error:
        sender.send(("failed", str(error)))
    except Exception as error:
        if job.path.is_dir():
            write(job.path / "error.txt", traceback.format_exc())
        text = " ".join(str(error).split())[:300]
        sender.send(("failed", f"{type(error).__name__}: {text} (see {job.path / 'error.txt'})"))
