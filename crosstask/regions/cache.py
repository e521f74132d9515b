"""Makes the region files of many images: what is there and right is kept, everything else is made again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from crosstask.engine import Engine
from crosstask.errors import RecipeError, RunError, UserError
from crosstask.reading import read_bytes
from crosstask.regions.provider import Provider
from crosstask.regions.stored import Record, encode, read_record
from crosstask.writing import write

Reader = Callable[..., Any]
"""File -> what the provider takes, an image; or the file of a label and that of its image -> a label map."""


class Job(NamedTuple):
    """One file of regions to be made: what it is called in messages, what it is made from, where it goes, and of a
    label the image it lies over."""

    name: str
    source: Path
    target: Path
    image: Path | None = None


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
    engine: Engine = Engine(),
    progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Make the region files that are missing, broken, or were made with other parameters or from another file.

    May be interrupted and started again at any time, and run by several processes on the same folder. A source that
    cannot be read costs only its own file.

    Args:
        jobs: what to make; several jobs with one target are one.
        provider: what makes the ids.
        read: opens a source for the provider; a function of a module, so that worker processes find it.
        engine: where the work is done; by default on a process per core, or in this one if the provider says so.
        progress: called after every file with the state so far.

    Returns:
        The final state, with the failures.

    Raises:
        RunError: a file cannot be written, or an image takes down every process that tries it.
        RecipeError: the provider cannot be used as it was set up.
    """
    jobs = list({job.target: job for job in jobs}.values())
    state, start = Progress(len(jobs)), time.monotonic()
    if (engine == Engine() and not provider.processes) or len(jobs) <= 1:
        engine = replace(engine, workers=0)
    for ended in engine.map(Maker(provider, read), jobs):
        outcome = ended.value
        if outcome is None:
            raise RunError(
                f"{ended.item.name}: a worker process died each time it was tried ({ended.reason}), for want of memory "
                "perhaps: use fewer --workers; what is finished is kept"
            )
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
            record = Record.of(self.provider, read_bytes(job.source))
            present = read_record(job.target)
            if present is not None and present.same(record):
                return Outcome(job, made=False)
            files = (job.source,) if job.image is None else (job.source, job.image)
            content = encode(self.provider(self.read(*files)), record)
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
