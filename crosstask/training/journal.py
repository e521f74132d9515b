"""What a run says while it goes on: metrics.jsonl, other people's trackers, a bar for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crosstask.evaluation.results import Results
from crosstask.training.loggers import Tracker
from crosstask.training.progress import TrainingProgress
from crosstask.training.run import Run, plain


class Journal:
    """Writes the records of a run; on the rank that writes, the others only call.

    Args:
        run: where to write.
        writes: whether this rank writes.
        trackers: get every record too.
    """

    def __init__(self, run: Run, writes: bool, trackers: Sequence[Tracker] = ()) -> None:
        self.run, self.writes = run, writes
        self.trackers = list(trackers) if writes else []

    def begin(self, iteration: int) -> None:
        """Forget what was written after ``iteration``, which is about to be written again."""
        if not self.writes:
            return
        self.run.forget_after(iteration)
        for tracker in self.trackers:
            tracker.begin(self.run.records())

    def write(self, record: dict[str, Any]) -> None:
        """Add a record."""
        if self.writes:
            record = plain(record)
            self.run.log(record)
            for tracker in self.trackers:
                tracker.write(record)

    def validation(self, iteration: int, results: Results, score: float, best: bool, bar: TrainingProgress) -> None:
        """Add an evaluation, and tell of it."""
        metrics = {
            f"{name}/{metric}": number.value
            for name, task in results.tasks.items()
            for metric, number in task.numbers.items()
        }
        primary = {name: f"{name}/{task.primary}" for name, task in results.tasks.items()}
        record = {"kind": "validation", "iteration": iteration, "score": score, "best": best, "metrics": metrics}
        self.write({**record, "primary": primary})
        numbers = "  ".join(f"{name} {task.primary} {task.score:.3f}" for name, task in results.tasks.items())
        bar.say(f"iteration {iteration}  {numbers}{'  (best so far)' if best else ''}")

    def close(self, status: str = "success") -> None:
        """Nothing more will be written: the run ended by itself (success), was ended (aborted), or failed."""
        for tracker in self.trackers:
            tracker.close(status)
        self.trackers = []
