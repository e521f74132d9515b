"""Runs in processes of their own, several at once: memory is measured per run, and a crash costs one run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, cast

import torch

from crosstask.compare.cell import run_cell
from crosstask.engine import Engine
from crosstask.engine.engine import HERE
from crosstask.errors import UserError
from crosstask.recipe import Recipe
from crosstask.training.interrupt import Interrupt
from crosstask.writing import write

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
    jobs: Sequence[Job],
    at_once: int,
    tick: Callable[[list[Job]], object] = lambda running: None,
    on: str = HERE,
) -> Iterator[Ended]:
    """Do jobs, in order, ``at_once`` at a time, and tell of each as it ends.

    Each process of this machine gets its share of the threads that torch would use alone. The first SIGINT or SIGTERM
    is passed on to the running jobs, which finish their step and save; no further job is started. A second one ends
    them at once. A job whose process was killed goes on once more from its last checkpoint.

    Args:
        jobs: what to do.
        at_once: jobs in work.
        tick: called twice a second with the jobs that are running.
        on: where; see :class:`~crosstask.engine.engine.Engine`.
    """
    engine = Engine(on, at_once)
    threads = max(torch.get_num_threads() // at_once, 1) if on == HERE else None
    with Interrupt(grace=None) as interrupt:
        for outcome in engine.map(
            partial(_work, threads=threads),
            jobs,
            attempts=2,
            fresh=True,
            gpu=True,
            stop=lambda: interrupt.requested,
            tick=tick,
        ):
            if outcome.value is not None:
                yield Ended(outcome.item, *outcome.value, outcome.seconds)
            elif outcome.status == "interrupted":
                yield Ended(outcome.item, "interrupted", "", outcome.seconds)
            else:
                message = f"its process was {outcome.reason}, twice: perhaps for want of memory; try fewer --jobs"
                yield Ended(outcome.item, "failed", message, outcome.seconds)


def _work(job: Job, threads: int | None) -> tuple[Status, str]:
    """A job, in a process of its own."""
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return cast(Status, run_cell(job.recipe, job.path)), ""
    except KeyboardInterrupt:
        return "interrupted", ""
    except UserError as error:
        return "failed", str(error)
    except Exception as error:
        if job.path.is_dir():
            write(job.path / "error.txt", traceback.format_exc())
        text = " ".join(str(error).split())[:300]
        return "failed", f"{type(error).__name__}: {text} (see {job.path / 'error.txt'})"
