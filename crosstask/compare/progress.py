"""How far a grid of runs is, and when it will be done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from crosstask.errors import UserError
from crosstask.reading import read_text, require_regular

_TAIL = 1 << 16


class GridProgress:
    """A progress bar over runs that counts the part of those that are under way, and a line for each that ends.

    Args:
        total: how many runs there are to do.
        quiet: show nothing.
        clock: the time in seconds.
    """

    def __init__(self, total: int, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.ended, self.clock = total, 0, clock
        self.before: dict[Path, float] = {}  # what was done of a run before this process began
        self.now: dict[Path, float] = {}
        self.running: list[Path] = []
        self.started = clock()
        columns = (TextColumn("[bold]runs"), BarColumn(), TextColumn("{task.fields[info]}"))
        self.bar = Progress(*columns, console=Console(stderr=True, quiet=quiet), disable=quiet, transient=True)
        self.task = self.bar.add_task("runs", total=max(total, 1), info="")

    def __enter__(self) -> GridProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def tick(self, running: Sequence[Path]) -> None:
        """These runs are under way."""
        self.running = list(running)
        for path in running:
            self.now[path] = advance(path)
            self.before.setdefault(path, self.now[path])
        self.bar.update(
            self.task, completed=self.ended + self._part(), info=f"{self.ended} of {self.total}{self._eta()}"
        )

    def end(self, path: Path, text: str, finished: bool = True) -> None:
        """A run has ended; ``text`` is shown above the bar."""
        self.ended += 1
        self.now[path] = 1.0 if finished else self.now.get(path, 0.0)
        self.running = [other for other in self.running if other != path]
        left = self._eta() if self.ended < self.total else ""
        self.bar.console.print(f"{self.ended} of {self.total}  {text}{left}", highlight=False, soft_wrap=True)

    def remaining(self) -> float | None:
        """Seconds until all runs are done; None while there is nothing to go by."""
        done = sum(self.now.values()) - sum(self.before.get(path, 0.0) for path in self.now)
        seconds = self.clock() - self.started
        return seconds / done * (self.total - self.ended - self._part()) if done > 0.01 else None

    def _part(self) -> float:
        """Of the runs that are under way, what is done."""
        return sum(self.now.get(path, 0.0) for path in self.running)

    def _eta(self) -> str:
        left = self.remaining()
        return "" if left is None else f"; about {duration(left)} left"


def advance(path: Path) -> float:
    """Which part of a run is done, in [0, 1], as far as its files tell."""
    try:
        iterations = json.loads(read_text(path / "environment.json"))["iterations"]
        require_regular(path / "metrics.jsonl")
        with open(path / "metrics.jsonl", "rb") as file:
            file.seek(max(file.seek(0, 2) - _TAIL, 0))
            lines = file.read().splitlines()
        return json.loads(lines[-1])["iteration"] / iterations
    except (UserError, OSError, ValueError, KeyError, IndexError):  # not there yet, or a line is being written
        return 0.0


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(42.4), duration(150), duration(7500)
    ('42 s', '2 min 30 s', '2 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )
