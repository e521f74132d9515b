"""Runs of a grid as a person watches them: progress while they go on, and what is not done at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosstask.compare.pool import Ended, Job


def do_jobs(jobs: list[Job], at_once: int, quiet: bool, on: str = "processes") -> list[Ended]:
    """Do jobs, ``at_once`` at a time, and say how each ended."""
    from crosstask.compare.pool import do
    from crosstask.compare.progress import GridProgress, duration

    ended = []
    with GridProgress(len(jobs), quiet) as progress:
        for each in do(jobs, at_once, lambda running: progress.tick([job.path for job in running]), on):
            ended.append(each)
            said = f"{each.job.name}: {each.status} after {duration(each.seconds)}"
            progress.end(each.job.path, said, each.status == "finished")
    return ended


def tell_end(jobs: list[Job], ended: list[Ended]) -> int:
    """Say what is not done and why; the exit code."""
    import shlex
    import sys

    of = {status: [each for each in ended if each.status == status] for status in ("failed", "busy", "interrupted")}
    for each in of["failed"]:
        print(f"crosstask: error: {each.job.name}: {each.message}", file=sys.stderr)
    for each in of["busy"]:
        print(f"{each.job.name}: another process is at work on {each.job.path}", file=sys.stderr)
    if of["interrupted"] or len(ended) < len(jobs):
        finished = len([each for each in ended if each.status == "finished"])
        again = shlex.join(["crosstask", *sys.argv[1:]])
        print(f"interrupted: {finished} of {len(jobs)} runs were finished; continue with: {again}", file=sys.stderr)
        return 130
    return 1 if of["failed"] else 0
