"""Where batch work is done; whoever has some knows nothing of processes or clusters."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from crosstask.engine.outcome import Outcome, Window
from crosstask.engine.staged import Staged
from crosstask.errors import RecipeError, RunError

Item = TypeVar("Item")
Value = TypeVar("Value")

HERE = "processes"
_AHEAD = 4


@dataclass(frozen=True)
class Engine:
    """What maps functions over items.

    Attributes:
        on: ``processes`` of this machine; ``ray`` for a Ray of this machine; ``auto``, ``HOST:PORT`` or
            ``ray://HOST:PORT`` for a cluster that runs.
        workers: items in work at once; 0 does them in this process (one after the other), None takes one per core, or
            what the cluster has.

    Raises:
        RecipeError: ``on`` names no engine, or one elsewhere that is to have no workers.
    """

    on: str = HERE
    workers: int | None = None

    def __post_init__(self) -> None:
        host, colon, port = self.on.removeprefix("ray://").rpartition(":")
        if self.on not in (HERE, "ray", "auto") and not (host and colon and port.isdecimal() and "/" not in host):
            raise RecipeError(f"--on is {self.on!r:.80}: give {HERE}, ray, auto, HOST:PORT or ray://HOST:PORT")

        if self.workers == 0 and self.on != HERE:
            raise RecipeError(
                f"--workers is 0, which is this process alone, and --on {self.on!r:.80}: give 1 or more, or "
                "leave --on out"
            )

    @property
    def here(self) -> bool:
        """Whether all work is done in this process."""
        return self.on == HERE and self.workers == 0

    def map(
        self,
        function: Callable[[Item], Value],
        items: Sequence[Item],
        *,
        done: Callable[[Item], bool] | None = None,
        ordered: bool = False,
        attempts: int = 3,
        fresh: bool = False,
        gpu: bool = False,
        stop: Callable[[], bool] | None = None,
        tick: Callable[[list[Item]], object] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Iterator[Outcome[Item, Value]]:
        """Do every item once, and tell of each as it ends (or in order). Values do not depend on engine or workers.

        An item whose worker is killed is done again, by another worker. Nothing is handed out further ahead of what is
        taken than a few items per worker where results are ordered, so that memory does not grow with the items.

        Args:
            function: picklable (a function or an object of a module); sent once to every worker. The stages of a
                :class:`~crosstask.engine.staged.Staged` overlap where all work is done in this process.
            items: picklable; sent when they are handed out.
            done: items of which this is true are complete already: they are passed over, and counted by ``progress``.
            ordered: outcomes come in the order of the items.
            attempts: how often an item is tried that kills its worker.
            fresh: a new process for every item, in which signals work as in a program of its own.
            gpu: each item computes on a GPU, where a cluster has some.
            stop: asked twice a second; once it is true nothing more is handed out, and a SIGINT is sent to what is in
                work.
            tick: called twice a second with the items in work.
            progress: called with (items done, items in all) after each.

        Raises:
            Exception: what the function raised; items in work are ended.
            RunError: the engine cannot be reached or has not what it needs.
        """
        left = items if done is None else [item for item in items if not done(item)]
        total, ended = len(items), len(items) - len(left)
        if progress is not None and ended:
            progress(ended, total)
        workers = self._count(len(left))
        window = Window(_AHEAD * max(workers or 1, 1) + 64 * (workers is None) if ordered else None)
        if self.here:
            found = _in_this_process(function, left, stop)
        elif self.on == HERE:
            from crosstask.engine.processes import in_processes

            found = in_processes(
                _pickled(function), _module(function), left, workers or 1, window, attempts, fresh, stop, tick
            )
        else:
            from crosstask.engine.cluster import on_ray

            found = on_ray(_pickled(function), left, self.on, workers, window, attempts, fresh, gpu, stop, tick)
        for outcome in _ordered(found, window) if ordered else (outcome for _, outcome in found):
            ended += 1
            if progress is not None:
                progress(ended, total)
            yield outcome

    def _count(self, items: int) -> int | None:
        """Items at once: no more than there are, nor than a machine can run."""
        if self.workers is None and self.on != HERE:
            return None
        cores = cpus()
        return min(cores if self.workers is None else self.workers, max(items, 1), max(64, 8 * cores))


def cpus() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pickled(function: Callable[[Item], Value]) -> bytes:
    try:
        return pickle.dumps(function)
    except Exception as error:  # pickle raises whatever it stumbles over
        text = " ".join(str(error).split())
        raise RunError(
            f"this work cannot be sent to other processes ({text}): do it in this one, --workers 0"
        ) from None


def _module(function: Any) -> str:
    function = getattr(function, "load", function)  # of stages
    function = getattr(function, "func", function)  # of a partial
    module = getattr(function, "__module__", None) or type(function).__module__
    return __name__ if module == "__main__" else module


def _in_this_process(
    function: Callable[[Item], Value], items: Sequence[Item], stop: Callable[[], bool] | None
) -> Iterator[tuple[int, Outcome[Item, Value]]]:
    asked = items if stop is None else takewhile(lambda _: not stop(), items)
    values = function.each(asked) if isinstance(function, Staged) else map(function, asked)
    start = time.monotonic()
    for index, value in enumerate(values):
        now = time.monotonic()
        yield index, Outcome(items[index], value, seconds=now - start)
        start = time.monotonic()


def _ordered(found: Iterator[tuple[int, Outcome[Item, Value]]], window: Window) -> Iterator[Outcome[Item, Value]]:
    early: dict[int, Outcome[Item, Value]] = {}
    for index, outcome in found:
        early[index] = outcome
        while window.taken in early:
            window.taken += 1
            yield early.pop(window.taken - 1)
    for index in sorted(early):  # some before them were never handed out
        yield early[index]
