"""A tiny run behind a real server on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import crosstask
from crosstask.serve.options import Job, Limits
from tests.tiny import write_recipe, write_tiny

pytest.importorskip("fastapi", reason="needs crosstask[serve]")
pytest.importorskip("uvicorn", reason="needs crosstask[serve]")
httpx = pytest.importorskip("httpx", reason="needs httpx: pip install 'crosstask[dev]'")


@dataclass
class Served:
    """A server that runs in a thread of this process; its workers are processes."""

    url: str
    pool: object
    client: httpx.Client

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self.pool._alive]


@contextmanager
def serving(run: Path, workers: int = 1, **limits: float) -> Iterator[Served]:
    from crosstask.serve.server import address, listen, serve

    listening = listen("127.0.0.1", 0)
    begun, loop, pools, failed = threading.Event(), [], [], []

    def started(pool):
        pools.append(pool)
        loop.append(asyncio.get_running_loop())
        begun.set()

    async def whole():
        task = asyncio.current_task()
        pools_task.append(task)
        bounds = Limits(**limits)
        await serve(Job(str(run), pixels=bounds.pixels, threads=1), workers, bounds, listening, started)

    def thread():
        try:
            asyncio.run(whole())
        except BaseException as error:
            failed.append(error)
        begun.set()

    pools_task: list[asyncio.Task] = []
    runner = threading.Thread(target=thread)
    runner.start()
    assert begun.wait(120)
    if not pools:
        runner.join()
        listening.close()
        raise failed[0]
    try:
        with httpx.Client(base_url=address(listening), timeout=60, trust_env=False) as client:
            yield Served(address(listening), pools[0], client)
    finally:
        loop[0].call_soon_threadsafe(pools_task[0].cancel)
        runner.join(30)
        listening.close()
        assert not runner.is_alive()


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    crosstask.train(write_recipe(folder, write_tiny(folder)), out=folder / "runs/mine", quiet=True)
    return folder / "runs/mine"


@pytest.fixture(scope="session")
def model(run):
    return crosstask.load(run)


@pytest.fixture(scope="session")
def served(run) -> Iterator[Served]:
    with serving(run, workers=2, megabytes=0.5, pixels=100_000, seconds=20) as server:
        yield server


def picture(seed: int, size: tuple[int, int] = (32, 48), form: str = "PNG") -> bytes:
    """A picture like no other."""
    rng = np.random.default_rng(seed)
    colours = np.clip(rng.integers(0, 255, 3) + rng.integers(-40, 40, (*size, 3)), 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(colours).save(file, form)
    return file.getvalue()


def until(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
