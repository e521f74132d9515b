"""Processes that load data and were stopped: they do not hear that they are to end, and hand nothing over."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MARGIN = 1.0
"""Seconds after which a wait is too long for something else than what watches it by itself."""


def wake_workers() -> None:
    """Let all go on that were stopped."""
    if hasattr(signal, "SIGCONT"):
        for worker in multiprocessing.active_children():
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)


@contextmanager
def woken_after(seconds: float) -> Iterator[None]:
    """A context of waiting for workers, who are woken where it takes longer than so many seconds; 0 for never.

    A batch lies in memory that its worker has to hand over when it is taken, and no library looks at the time then.
    """
    if not seconds:
        yield
        return
    alarm = threading.Timer(seconds + MARGIN, wake_workers)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()
