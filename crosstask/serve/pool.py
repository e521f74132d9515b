"""A fixed number of workers, each answering one request at a time; those that die are replaced."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from multiprocessing.connection import wait
from typing import Any, TypeVar

from crosstask.errors import RunError, UserError
from crosstask.serve.options import Job, Limits, pinned
from crosstask.serve.refusal import Refusal, busy, left
from crosstask.serve.wire import Message, receive, send

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_PAUSES = (0.1, 30.0)


class Gone(Exception):
    """A worker died before it had the whole request: another can be asked."""


class Worker:
    """The server's end of a worker process.

    Args:
        job: what it loads.
    """

    def __init__(self, job: Job) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self.process = _context().Process(target=_work, args=(theirs, job), daemon=True, name="crosstask worker")
        self.process.start()
        theirs.close()
        self.killed = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self.killed and not wait([self.process.sentinel], 0)

    def loaded(self) -> dict[str, Any]:
        """Waits until the network is loaded; what it is.

        Raises:
            UserError: it cannot be loaded.
        """
        try:
            said = receive(self.connection).head
        except (EOFError, OSError):
            raise RunError("a worker died while it loaded the network: is there enough memory?") from None
        if "failed" in said:
            raise UserError(said["failed"]) if said["exit_code"] == 2 else RunError(said["failed"])
        return said

    def ask(self, message: Message) -> Message:
        """Waits for the answer.

        Raises:
            Gone: the worker died before it had all of the message. Nothing else tells so at once: its end is known
                only when it was buried.
            EOFError, OSError: it died with the message.
        """
        try:
            send(self.connection, message)
        except OSError as error:
            raise Gone from error
        answer = receive(self.connection)
        if answer.head["number"] != message.head["number"]:
            raise EOFError("an answer to another request")
        return answer

    def wait(self) -> None:
        """Waits until the process has ended."""
        wait([self.process.sentinel])

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.killed = True
        self.process.kill()


def _work(connection: Any, job: Job) -> None:
    from crosstask.serve.worker import main  # with it comes PyTorch, which the server itself does without

    main(connection, job)


def _context() -> Any:
    """Where workers come from: a process that has imported all they need, if there can be one, so that the next is
    ready in an instant and all share that memory."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crosstask.serve.worker", "crosstask.recipe", "torchvision.transforms.v2"])
    return context


class Pool:
    """Workers and those who wait for them.

    Args:
        job: what the workers load.
        workers: how many there are.
        limits: of time, and of those who wait.
    """

    def __init__(self, job: Job, workers: int, limits: Limits) -> None:
        self.job, self.workers, self.limits = job, workers, limits
        self.said: dict[str, Any] = {}
        self.ready = self.asked = self.restarts = 0
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._numbers = count()
        self._threads = ThreadPoolExecutor(3 * workers, "crosstask")
        self._tasks: list[asyncio.Task[None]] = []
        self._alive: set[Worker] = set()

    async def start(self) -> None:
        """Start the workers, and wait for the first one.

        Raises:
            UserError: the network cannot be loaded.
        """
        first = Worker(self.job)
        try:
            self.said = await self._thread(first.loaded)
        except BaseException:
            first.kill()
            raise
        self.job = pinned(self.job, self.said)
        self._tasks = [asyncio.create_task(self._keep(first if not slot else None)) for slot in range(self.workers)]
        await asyncio.sleep(0)

    async def close(self) -> None:
        """End the workers."""
        for task in self._tasks:
            task.cancel()
        for worker in list(self._alive):
            worker.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=True)

    @property
    def full(self) -> bool:
        """Whether no further request can wait."""
        return self.asked >= self.workers + self.limits.queue

    async def ask(self, head: dict[str, Any], body: bytes, gone: Callable[[], Awaitable[bool]]) -> Message:
        """The answer of a worker to a picture.

        Args:
            head: what is asked for.
            body: the picture.
            gone: whether whoever asked has left meanwhile; then no worker is bothered.

        Raises:
            Refusal: 503 none was free in time, or it died; 504 it took too long, and was ended; or what it says.
        """
        answer = None
        while answer is None:
            worker = await self._free()
            if await gone():
                self._idle.put_nowait(worker)
                raise left()
            answer = await self._asked(worker, Message({**head, "number": next(self._numbers)}, body))
        self._idle.put_nowait(worker)
        if "error" in answer.head:
            raise Refusal(answer.head["status"], **answer.head["error"])
        return answer

    async def _asked(self, worker: Worker, message: Message) -> Message | None:
        """The answer of a worker; None where it died before it had the message."""
        try:
            return await asyncio.wait_for(self._thread(worker.ask, message), self.limits.seconds)
        except Gone:
            worker.kill()
            return None
        except TimeoutError:
            worker.kill()
            raise Refusal(
                504, "too_slow", f"the picture took more than {self.limits.seconds:g} seconds: send a smaller one"
            ) from None
        except (EOFError, OSError):
            worker.kill()
            raise busy("the worker that had this request died, and is being replaced: send it again") from None
        except BaseException:
            worker.kill()
            raise

    async def _free(self) -> Worker:
        try:
            async with asyncio.timeout(self.limits.seconds):
                while not (worker := await self._idle.get()).alive:
                    pass
                return worker
        except TimeoutError:
            raise busy(f"no worker was free within {self.limits.seconds:g} seconds: send the request again") from None

    async def _keep(self, worker: Worker | None) -> None:
        """Keep one worker alive: one that ends is replaced, after longer and longer pauses where it does so at once."""
        shortest, longest = _PAUSES
        pause = shortest
        while True:
            began = time.monotonic()
            try:
                if worker is None:
                    worker = Worker(self.job)
                    self._alive.add(worker)
                    await self._thread(worker.loaded)
                self._alive.add(worker)
                self._idle.put_nowait(worker)
                self.ready += 1
                try:
                    await self._thread(worker.wait)
                finally:
                    self.ready -= 1
                log.warning("a worker ended (%s): starting another", _ending(worker))
            except (UserError, OSError) as error:
                log.error("a worker cannot be started: %s", error)
            finally:
                if worker is not None:
                    worker.kill()
                    self._alive.discard(worker)
            worker = None
            pause = shortest if time.monotonic() - began > longest else min(2 * pause, longest)
            self.restarts += 1
            await asyncio.sleep(pause)

    async def _thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _ending(worker: Worker) -> str:
    worker.process.join(1)
    code = worker.process.exitcode
    return "killed" if code is not None and code < 0 else f"exit code {code}"
