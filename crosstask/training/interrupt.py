"""Signals end a run between two steps, not in the middle of one; but they always end it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from crosstask.data.loading.waking import wake_workers

GRACE = 30.0
"""Seconds without a sign of life after which a run that was told to end is ended wherever it is."""


class Interrupt:
    """A context in which the first SIGINT, SIGTERM or SIGUSR1 only sets ``requested``, for the loop to look at.

    A second one is not held back. A loop that hangs (a file system that does not answer, say) cannot look: when it was
    told to end and gave no sign of life for :data:`GRACE` seconds, the process ends with the signal's exit code.

    Args:
        grace: those seconds; None where what the process waits for ends by itself.

    Attributes:
        requested: whether the run should save and end.
        requeue: whether that was SIGUSR1, by which a scheduler says that time is up and the job will go on later.
    """

    SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))

    def __init__(self, grace: float | None = GRACE) -> None:
        self.grace = grace
        self.requested = self.requeue = False
        self._before: dict[int, Any] = {}
        self._alive = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._restore()

    def alive(self) -> None:
        """The loop goes on."""
        self._alive = time.monotonic()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.alive()
        if number == getattr(signal, "SIGUSR1", None):
            self.requeue = True
        else:
            self._restore()
        if self.grace is not None:
            threading.Thread(target=self._end, args=(number, self.grace), daemon=True).start()

    def _end(self, number: int, grace: float) -> None:
        while not self._over.wait(min(grace, 1.0)):
            if time.monotonic() - self._alive > grace:
                print(
                    f"crosstask: error: told to end by {signal.Signals(number).name}, but nothing moved for "
                    f"{grace:.0f} seconds; the last checkpoint is intact",
                    file=sys.stderr,
                    flush=True,
                )
                wake_workers()
                os._exit(128 + number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
