"""Batch work on processes of this machine, each with a pipe of its own: who is killed costs the item it had."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from crosstask.engine.outcome import Outcome, Window, answer, value_of

_TICK = 0.5
_HEAVY = ("crosstask.data.decode.files",)
"""What all work of ours imports: by the server, once, and not by every worker."""


def in_processes(
    function: bytes,
    module: str,
    items: Sequence[Any],
    workers: int,
    window: Window,
    attempts: int,
    fresh: bool,
    stop: Callable[[], bool] | None,
    tick: Callable[[list[Any]], object] | None,
) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    """Number and outcome of items as they end; see :meth:`~crosstask.engine.engine.Engine.map`. ``module`` is that of
    the function, imported once for all workers."""
    queue = deque((index, 1) for index in range(len(items)))
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    stopping = False
    try:
        while queue or busy:
            if stop is not None and not stopping and stop():
                stopping = True
                for worker in busy:
                    worker.interrupt()
            while queue and not stopping and len(busy) < workers and window.open(queue[0][0]):
                worker = idle.pop() if idle else _Worker(function, fresh, module)
                index, attempt = queue.popleft()
                worker.give(index, attempt, items[index])
                busy.append(worker)
            if not busy:
                break
            for worker in _ready(busy, wait=stop is not None or tick is not None):
                busy.remove(worker)
                content = worker.answer()
                seconds = time.monotonic() - worker.started
                outcome: Outcome[Any, Any]
                if content is not None:
                    outcome = Outcome(items[worker.index], value_of(content), seconds=seconds)
                    worker.end() if fresh else idle.append(worker)
                elif worker.told:
                    outcome = Outcome(items[worker.index], None, "interrupted", seconds=seconds)
                elif worker.attempt < attempts and not stopping:
                    queue.appendleft((worker.index, worker.attempt + 1))
                    continue
                else:
                    outcome = Outcome(items[worker.index], None, "died", worker.death(), seconds)
                yield worker.index, outcome
            if tick is not None:
                tick([items[worker.index] for worker in busy])
    finally:
        for worker in idle:
            worker.end()
        for worker in busy:
            worker.kill()


class _Worker:
    """A process that does one item after the other.

    Forking a process that runs torch's threads may hang it, so workers are forked off a server that has imported what
    the function needs, or start afresh.
    """

    def __init__(self, function: bytes, fresh: bool, module: str) -> None:
        methods = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        context.set_forkserver_preload([__name__, *_HEAVY, module])
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, fresh), daemon=not fresh)
        self.process.start()
        theirs.close()
        self.index = self.attempt = 0
        self.told = False

    def give(self, index: int, attempt: int, item: Any) -> None:
        self.index, self.attempt, self.started = index, attempt, time.monotonic()
        with contextlib.suppress(OSError):  # it is dead, which is seen when it is asked
            self.pipe.send_bytes(pickle.dumps(item))

    def answer(self) -> bytes | None:
        """What it says; None where it died."""
        try:
            return self.pipe.recv_bytes()
        except (EOFError, OSError):
            self.process.join()
            self.pipe.close()
            return None

    def interrupt(self) -> None:
        # Not asked whether it is alive: the server that would know gets the signals of the whole group and may be gone.
        self.told = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGINT)

    def death(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"ended with code {code}"

    def end(self) -> None:
        self.pipe.close()
        self.process.join()

    def kill(self) -> None:
        self.process.terminate()
        self.end()


def _ready(busy: Sequence[_Worker], wait: bool) -> list[_Worker]:
    """Those that have something to say, or died."""
    ready = connection.wait([worker.pipe for worker in busy], _TICK if wait else None)
    return [worker for worker in busy if worker.pipe in ready]


def _serve(pipe: Connection, pickled: bytes, fresh: bool) -> None:
    """The main function of a worker. Ctrl-C in a terminal goes to the parent alone, which decides what it means."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler if fresh else signal.SIG_IGN)
    threading.Thread(target=_follow_parent, args=(fresh,), daemon=True).start()
    work: list[Callable[[Any], Any]] = []

    def do(content: bytes) -> Any:
        if not work:
            work.append(pickle.loads(pickled))
            if not fresh and "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(1)  # the other cores belong to the other workers
        return work[0](pickle.loads(content))

    while True:
        try:
            item = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        with contextlib.suppress(OSError):
            pipe.send_bytes(answer(do, item))


def _follow_parent(fresh: bool) -> None:
    """End this worker when its parent was killed: at once, or as Ctrl-C would what has signals of its own."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    if fresh:
        os.kill(os.getpid(), signal.SIGINT)
    else:
        os._exit(1)
