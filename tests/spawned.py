"""Several processes for a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning_fabric import Fabric

from crosstask.training.runtime import take_leave


def in_processes(worker: Callable[..., None], *arguments: Any, processes: int = 2) -> None:
    """Run ``worker(fabric, *arguments)``, which must be importable, in that many processes of this machine."""
    Fabric(accelerator="cpu", devices=processes, strategy="ddp_spawn").launch(_work, worker, arguments)


def _work(fabric: Fabric, worker: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    worker(fabric, *arguments)
    take_leave()
