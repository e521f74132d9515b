"""Listening: on this machine alone unless told otherwise, until it is told to stop."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from crosstask.errors import UserError
from crosstask.serve.options import Job, Limits
from crosstask.serve.pool import Pool
from crosstask.serve.web import web


class Server(uvicorn.Server):
    """Ends in good order when it is interrupted or terminated: what was begun is answered first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Two signals that end it, while it runs."""
        with suppress(ValueError, NotImplementedError, RuntimeError):  # not in the main thread: somebody else's signals
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: a name or an address of this machine.
        port: 0 for one that is free.

    Raises:
        UserError: there is no such address here, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(256)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"--host {host} --port {port}: cannot be listened on ({why}): give another --port") from None
    except (UnicodeError, OverflowError):
        raise UserError(f"--host {host!r:.80}: is no address: give 127.0.0.1, or 0.0.0.0 for all") from None
    return listening


def address(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(listening: socket.socket) -> bool:
    """Whether it is heard on this machine alone."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


class Impatient(H11Protocol):
    """A connection that is closed where the head of a request does not come in time, so that nobody can hold it for
    nothing.

    Args:
        seconds: from the connection, or from the first byte of a later request, to the end of a head.
    """

    def __init__(self, *arguments: Any, seconds: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds = seconds
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while no request is whole as far as its head."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.transport.get_protocol() is self:  # else it became a web socket
            self.transport.close()

    def _wait(self) -> None:
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self._patience is None:
            self._patience = self.loop.call_later(self.seconds, self._give_up)
        elif not waiting and self._patience is not None:
            self._patience.cancel()
            self._patience = None


async def run_app(app: Any, listening: socket.socket, seconds: float = 30.0, **options: Any) -> None:
    """Answer until interrupted; a connection on which nothing is asked within ``seconds`` is closed."""
    http = functools.partial(Impatient, seconds=seconds)
    settings: dict[str, Any] = {"log_level": "warning", "lifespan": "off", "http": http, "loop": "asyncio"} | options
    config = uvicorn.Config(app, server_header=False, timeout_graceful_shutdown=10, **settings)
    await Server(config).serve([listening])


async def serve(
    job: Job, workers: int, limits: Limits, listening: socket.socket, started: Callable[[Pool], None] = lambda _: None
) -> None:
    """Load a network and answer until interrupted.

    Args:
        job: the network.
        workers: how many processes hold it.
        limits: what is refused.
        listening: see :func:`listen`.
        started: called when the network is loaded.

    Raises:
        UserError: it cannot be loaded.
    """
    pool = Pool(job, workers, limits)
    await pool.start()
    try:
        started(pool)
        await run_app(web(pool), listening, limits.seconds)
    finally:
        await pool.close()
