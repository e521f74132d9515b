"""Batch work on Ray: on a cluster that runs, or on a Ray of this machine for as long as the work takes.

Every node needs the project, and the files of the work under the same paths (a shared file system) or as URLs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crosstask.engine.outcome import Outcome, Window, answer, value_of
from crosstask.errors import RunError

_TICK = 0.5
_STORE = 2**27
"""Bytes of a local Ray's object store: only functions, items and values go through it."""


def on_ray(
    function: bytes,
    items: Sequence[Any],
    address: str,
    workers: int | None,
    window: Window,
    attempts: int,
    fresh: bool,
    gpu: bool,
    stop: Callable[[], bool] | None,
    tick: Callable[[list[Any]], object] | None,
) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    """Number and outcome of items as they end; see :meth:`~crosstask.engine.engine.Engine.map`. Ray itself tries an
    item again whose worker or node died."""
    ray = _library()
    with _connected(ray, address, workers):
        resources = ray.cluster_resources()
        slots = max(int(resources.get("CPU", 1)) if workers is None else workers, 1)  # a cluster may have yet to grow
        needs: dict[str, Any] = {"num_cpus": 1, "max_retries": attempts - 1}
        needs |= {"max_calls": 1} if fresh else {}  # a new process for every item
        needs |= {"num_gpus": 1} if gpu and resources.get("GPU", 0) else {}
        task = ray.remote(**needs)(_do)
        sent = ray.put(function)
        queue = deque(range(len(items)))
        working: dict[Any, tuple[int, float]] = {}
        told: set[Any] = set()
        while queue or working:
            if stop is not None and not told and stop():
                queue.clear()
                told = set(working)
                for reference in told:
                    ray.cancel(reference, force=False)
            while queue and len(working) < 2 * slots and window.open(queue[0]):
                index = queue.popleft()
                working[task.remote([sent], sent.hex(), pickle.dumps(items[index]), os.getcwd())] = (
                    index,
                    time.monotonic(),
                )
            if not working:
                break
            wait = _TICK if stop is not None or tick is not None else None
            ready, _ = ray.wait(list(working), num_returns=1, timeout=wait)
            for reference in ready:
                index, started = working.pop(reference)
                yield index, _outcome(ray, reference, items[index], time.monotonic() - started, reference in told)
            if tick is not None:
                tick([items[index] for index, _ in working.values()])


def _outcome(ray: Any, reference: Any, item: Any, seconds: float, told: bool) -> Outcome[Any, Any]:
    errors = ray.exceptions
    try:
        content = ray.get(reference)
    except errors.TaskCancelledError:
        return Outcome(item, None, "interrupted", seconds=seconds)
    except errors.RayError as error:
        if told:
            return Outcome(item, None, "interrupted", seconds=seconds)
        return Outcome(item, None, "died", f"Ray: {type(error).__name__}", seconds)
    return Outcome(item, value_of(content), seconds=seconds)


_functions: dict[str, Callable[[Any], Any]] = {}


def _do(sent: list[Any], key: str, item: bytes, folder: str) -> bytes:
    """One item, in a worker of Ray; what does the work is fetched once per worker."""
    import ray

    def work(content: bytes) -> Any:
        if key not in _functions:
            _functions.clear()
            _functions[key] = pickle.loads(ray.get(sent[0]))
        return _functions[key](pickle.loads(content))

    with contextlib.suppress(OSError):
        os.chdir(folder)
    return answer(work, item)


def _library() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError:
        raise RunError("batch work on Ray needs ray: pip install 'crosstask[ray]', or leave --on out") from None
    return ray


def _knock(address: str) -> None:
    """See whether anybody listens: Ray itself tries for minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextlib.contextmanager
def _connected(ray: Any, address: str, workers: int | None) -> Iterator[None]:
    """Connected to the cluster; one that this process is connected to already is used as it is."""
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "ray":
        options |= {"include_dashboard": False, "object_store_memory": _STORE, "num_cpus": workers}
    try:
        _knock(address)
        ray.init("local" if address == "ray" else address, **options)
    except Exception as error:  # of many kinds
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise RunError(
            f"--on {address}: no Ray cluster can be reached ({reason}): run ray start --head, or take --on ray"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
