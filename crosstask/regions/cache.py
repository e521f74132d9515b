"""Makes the region files of many images: what is there and right is kept, everything else is made again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from crosstask.errors import RecipeError, RunError, UserError
from crosstask.reading import regular
from crosstask.regions.provider import Provider
from crosstask.regions.stored import Record, encode, read_record
from crosstask.writing import write

Reader = Callable[[Path], Any]
"""File -> what the provider takes: an image, or a label map."""


class Job(NamedTuple):
    """One file of regions to be made: what it is called in messages, what it is made from, where it goes."""

    name: str
    source: Path
    target: Path


class Outcome(NamedTuple):
    """What became of a job: whether the file had to be made, and the reason if that was not possible."""

    job: Job
    made: bool
    failure: str = ""


@dataclass
class Progress:
    """How far the work is; given to the callback after every file.

    Attributes:
        total: number of files asked for.
        made: files made now.
        kept: files that were there already.
        failures: job -> reason, for those that could not be made.
        seconds: since the start.
    """

    total: int
    made: int = 0
    kept: int = 0
    failures: dict[Job, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.made + self.kept + len(self.failures)

    @property
    def rate(self) -> float:
        """Files made a second, 0 before the first."""
        return self.made / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds until the end if all the rest has to be made; None before the first file was made."""
        return (self.total - self.done) / self.rate if self.rate else None


def make_regions(
    jobs: Sequence[Job],
    provider: Provider,
    read: Reader,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Make the region files that are missing, broken, or were made with other parameters or from another file.

    May be interrupted and started again at any time, and run by several processes on the same folder. A source that
    cannot be read costs only its own file.

    Args:
        jobs: what to make; several jobs with one target are one.
        provider: what makes the ids.
        read: opens a source for the provider; a function of a module, so that worker processes find it.
        workers: worker processes; 1 for none but this one. By default one per core, or 1 if the provider says so.
        progress: called after every file with the state so far.

    Returns:
        The final state, with the failures.

    Raises:
        RunError: a file cannot be written, or a worker process died.
        RecipeError: the provider cannot be used as it was set up.
    """
    jobs = list({job.target: job for job in jobs}.values())
    state, start = Progress(len(jobs)), time.monotonic()
    count = min((_cores() if provider.processes else 1) if workers is None else workers, len(jobs))
    maker = Maker(provider, read)
    for outcome in map(maker, jobs) if count <= 1 else _in_processes(maker, jobs, count):
        if outcome.failure:
            state.failures[outcome.job] = outcome.failure
        else:
            state.made += outcome.made
            state.kept += not outcome.made
        state.seconds = time.monotonic() - start
        if progress:
            progress(state)
    return state


@dataclass(frozen=True)
class Maker:
    """Makes one file of regions, unless it is there and right."""

    provider: Provider
    read: Reader

    def __call__(self, job: Job) -> Outcome:
        """Makes the regions of one image and says what came of it."""
        try:
            record = Record.of(self.provider, regular(job.source).read_bytes())
            present = read_record(job.target)
            if present is not None and present.same(record):
                return Outcome(job, made=False)
            content = encode(self.provider(self.read(job.source)), record)
        except RecipeError:
            raise
        except (OSError, ValueError, UserError) as error:
            return Outcome(job, made=False, failure=" ".join(str(error).split()))
        try:
            write(job.target, content, durable=False)
        except OSError as error:
            raise RunError(
                f"{job.target}: cannot write the regions ({error.strerror or error}): make room or choose another "
                "folder; what is finished is kept"
            ) from None
        return Outcome(job, made=True)


def shard(jobs: Sequence[Job], part: str) -> list[Job]:
    """The part ``i/n`` of the jobs, i from 1 to n; the n parts together are all of them.

    Raises:
        RecipeError: ``part`` is not of that form.
    """
    index, _, count = part.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise RecipeError(f"--shard is {part!r}: give i/n with i from 1 to n, as in 1/4")
    return list(jobs[int(index) - 1 :: int(count)])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(maker: Maker, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Outcomes as they come. Forking a process that runs torch's threads may hang it, so workers start afresh."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([__name__, maker.read.__module__])  # imported once, not by every worker
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(maker,))
    waiting: set[Future[Outcome]] = set()
    try:
        for job in jobs:
            waiting.add(pool.submit(_work, job))
            if len(waiting) >= 4 * workers:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in finished)
    except BrokenProcessPool:
        raise RunError(
            "a worker process died, for want of memory perhaps: use fewer --workers; what is finished is kept"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_maker: Maker


def _start_worker(maker: Maker) -> None:
    global _maker
    _maker = maker
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # the other cores belong to the other workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this worker when its parent was killed; the pool itself would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job) -> Outcome:
    return _maker(job)
