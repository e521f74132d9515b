"""What a server is told: which network, and how much of what it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        megabytes: the largest upload, in 10^6 bytes.
        pixels: the most pixels of a picture; read off its header, before anything is decoded.
        seconds: the longest that an upload, the wait for a worker, and the work on a picture may each take.
        queue: how many requests may wait beside those that are worked on; one more is told to come back.
    """

    megabytes: float = 20.0
    pixels: int = 2**24
    seconds: float = 30.0
    queue: int = 64

    @property
    def bytes(self) -> int:
        """The largest upload, in bytes."""
        return int(self.megabytes * 1e6)


@dataclass(frozen=True)
class Job:
    """What a worker loads and how it runs.

    Attributes:
        run: the run directory.
        weights: ``best`` or ``last``; the best where there is one for None.
        device: where to compute, ``auto`` for the best there is.
        trust: run code that the run's recipe names by ``class_path``; such a run is refused otherwise.
        pixels: the most pixels of a picture.
        threads: how many threads of the processor to use; None for as many as there are.
        digest: SHA-256 that the weights must have; None for any. Workers that are started again answer as before.
    """

    run: str
    weights: str | None = None
    device: str = "cpu"
    trust: bool = False
    pixels: int = Limits.pixels
    threads: int | None = None
    digest: str | None = None


def pinned(job: Job, said: dict[str, Any]) -> Job:
    """The same job, with the weights that were loaded and no others."""
    return replace(job, weights=said["weights"]["checkpoint"], digest=said["weights"]["sha256"])
