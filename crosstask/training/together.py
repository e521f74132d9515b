"""Several processes that are one run: what goes wrong in one ends all of them, and is said once."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from lightning_fabric import Fabric
from torch.distributed import DistNetworkError, DistStoreError, TCPStore

from crosstask.data.loading.waking import wake_workers
from crosstask.errors import Elsewhere, RunError

BEAT = 0.5
"""Seconds between two looks at the others."""
SILENCE = 60.0
"""Seconds without a sign of life after which a process is taken for dead (killed, stopped, its machine gone)."""
PARTING = 10.0
"""Seconds the processes have to end by themselves once one has failed."""


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """A context that no process of a run leaves by an error without the others: the first error is raised where it
    happened; the others raise :class:`~crosstask.errors.Elsewhere`, or are ended where they wait.

    Raises:
        RunError: another process ended without a word, or is silent for :data:`SILENCE` seconds.
    """
    if fabric.world_size == 1:
        yield
        return
    watch = _Watch(fabric.global_rank, fabric.world_size)
    watch.start()
    try:
        yield
    except BaseException as error:
        if not watch.fail():
            raise Elsewhere from error
        if _is_of_connection(error):
            raise RunError(
                f"a process of the run ended without a word (killed, perhaps for want of memory); {_INTACT}"
            ) from error
        raise
    finally:
        watch.leave()


_INTACT = "the last checkpoint is intact: go on with --resume"


def _is_of_connection(error: BaseException) -> bool:
    """Whether the error is one of talking to the others."""
    return isinstance(error, RuntimeError) and bool(re.search("gloo|nccl|connection (reset|closed)", str(error), re.I))


class _Watch(threading.Thread):
    """Beats for this process, and looks at the beats and errors of the others, in the store they met in."""

    def __init__(self, rank: int, world: int) -> None:
        super().__init__(daemon=True, name="together")
        self.rank, self.world = rank, world
        self.store = TCPStore(
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=timedelta(seconds=30)
        )
        self.talking = threading.Lock()
        self.asked: float | None = None  # since when the store owes an answer
        self.over = threading.Event()
        self.parting = False
        self.telling = threading.Lock()
        self.answers = threading.Thread(target=self._wait_for_answers, daemon=True, name="together, answers")

    def run(self) -> None:
        self.answers.start()
        beats = [(0, time.monotonic())] * self.world
        while not self.over.wait(BEAT):
            self.asked = time.monotonic()
            try:
                with self.talking:
                    self.store.add(f"crosstask/beat/{self.rank}", 1)
                    failed = self.store.check(["crosstask/failed"])
                    now = [self.store.add(f"crosstask/beat/{rank}", 0) for rank in range(self.world)]
                    left = [self.store.check([f"crosstask/left/{rank}"]) for rank in range(self.world)]
            except (DistNetworkError, DistStoreError, RuntimeError):
                self._say_lost("ended without a word")
                failed, now, left = True, [], []
            self.asked = None
            if failed:
                self._part()
                return
            clock = time.monotonic()
            beats = [old if old[0] == new else (new, clock) for old, new in zip(beats, now, strict=True)]
            silent = [
                rank
                for rank, (_, at) in enumerate(beats)
                if clock - at > SILENCE and not left[rank] and rank != self.rank
            ]
            if silent:
                if self.fail():
                    self._say(
                        f"process {silent[0]} of {self.world} gave no sign of life for {SILENCE:.0f} seconds: it was "
                        f"stopped or killed, or its machine is gone; {_INTACT}"
                    )
                self._part()
                return

    def _wait_for_answers(self) -> None:
        """Who keeps the store may be stopped, and who asks it then waits for ever."""
        while not self.over.wait(BEAT):
            asked = self.asked
            if asked is not None and time.monotonic() - asked > SILENCE:
                self._say_lost(
                    f"gave no sign of life for {SILENCE:.0f} seconds: it was stopped, or its machine is gone"
                )
                self._part()
                return

    def fail(self) -> bool:
        """Say that this process fails; whether it is the first that does, and so the one to say why."""
        try:
            with self.talking:
                first = self.store.add("crosstask/failures", 1) == 1
                self.store.set("crosstask/failed", "")
        except (DistNetworkError, DistStoreError, RuntimeError):
            self._say_lost("ended without a word")
            return False
        return first and not self.parting

    def leave(self) -> None:
        """This process is done; the store stays until all others are, where this one keeps it.

        A thread that talks to the store while the interpreter shuts down would abort the process: both are waited for.
        """
        with contextlib.suppress(DistNetworkError, DistStoreError, RuntimeError):
            with self.talking:
                self.store.set(f"crosstask/left/{self.rank}", "")
            ended = time.monotonic() + PARTING
            while self.rank == 0 and time.monotonic() < ended:
                with self.talking:
                    if all(self.store.check([f"crosstask/left/{rank}"]) for rank in range(self.world)):
                        break
                time.sleep(0.05)
        self.over.set()
        for thread in (self, self.answers):
            if thread.is_alive():
                thread.join(PARTING)

    def _part(self) -> None:
        """End the process unless it ends by itself in time: it may wait for one that will never come."""
        self.parting = True
        if not self.over.wait(PARTING):
            wake_workers()
            os._exit(1)

    def _say_lost(self, how: str) -> None:
        """Process 0 is gone and the store with it: process 1 says so, whichever of its threads sees it first."""
        if self.rank == 1 and self.telling.acquire(blocking=False):
            self._say(f"process 0, which keeps the store, {how}; {_INTACT}")

    def _say(self, text: str) -> None:
        os.write(2, f"crosstask: error: {text}\n".encode())
