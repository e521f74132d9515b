"""What a run says while it goes on: metrics.jsonl, TensorBoard, a bar for people."""

from __future__ import annotations

from typing import Any

from crosstask.evaluation.results import Results
from crosstask.training.progress import TrainingProgress
from crosstask.training.run import Run, plain
from crosstask.training.tensorboard import TensorBoard


class Journal:
    """Writes the records of a run; on the rank that writes, the others only call.

    Args:
        run: where to write.
        writes: whether this rank writes.
        tensorboard: also write TensorBoard files.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, run: Run, writes: bool, tensorboard: bool) -> None:
        self.run, self.writes = run, writes
        self.board = TensorBoard(run.path) if tensorboard and writes else None

    def begin(self, iteration: int) -> None:
        """Forget what was written after ``iteration``, which is about to be written again."""
        if not self.writes:
            return
        self.run.forget_after(iteration)
        if self.board is not None:
            self.board.begin(self.run.records())

    def write(self, record: dict[str, Any]) -> None:
        """Add a record."""
        if self.writes:
            record = plain(record)
            self.run.log(record)
            if self.board is not None:
                self.board.write(record)

    def validation(self, iteration: int, results: Results, score: float, best: bool, bar: TrainingProgress) -> None:
        """Add an evaluation, and tell of it."""
        metrics = {
            f"{name}/{metric}": number.value
            for name, task in results.tasks.items()
            for metric, number in task.numbers.items()
        }
        self.write({"kind": "validation", "iteration": iteration, "score": score, "metrics": metrics})
        numbers = "  ".join(f"{name} {task.primary} {task.score:.3f}" for name, task in results.tasks.items())
        bar.say(f"iteration {iteration}  {numbers}{'  (best so far)' if best else ''}")

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
