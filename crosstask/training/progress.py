"""What a person sees while a run goes on."""

from __future__ import annotations

import logging
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from crosstask.evaluation.results import show

log = logging.getLogger(__name__)


class TrainingProgress:
    """A progress bar with ETA, speed and the loss of each term.

    Args:
        iterations: length of the run.
        done: iterations done before this process began.
        quiet: show nothing (other ranks, tests).
    """

    def __init__(self, iterations: int, done: int = 0, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(elapsed_when_finished=False, compact=True),
            TextColumn("{task.fields[info]}"),
            console=self.console,
            disable=quiet,
            refresh_per_second=4,
        )
        self.task = self.bar.add_task("train", total=iterations, completed=done, info="")
        self.interactive = self.console.is_terminal

    def __enter__(self) -> TrainingProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def step(self) -> None:
        """One iteration is done."""
        self.bar.advance(self.task)

    def show(self, losses: dict[str, float], images_per_second: float) -> None:
        """Update the text beside the bar: each term's loss and the speed."""
        terms = "  ".join(f"{name.rsplit('/', 1)[-1]} {show(value)}" for name, value in losses.items())
        self.bar.update(self.task, info=f"{images_per_second:.0f} img/s  {terms}")

    def say(self, text: str) -> None:
        """Print a line above the bar, and write it into the log file."""
        log.info("%s", text)
        self.bar.console.print(text, highlight=False)
