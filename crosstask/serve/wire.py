"""What server and workers say to each other: plain JSON and bytes, so that neither can make the other run anything."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from typing import Any, NamedTuple


class Message(NamedTuple):
    """A message.

    Attributes:
        head: what is said, as JSON has it.
        body: bytes that belong to it.
    """

    head: dict[str, Any]
    body: bytes = b""


def send(connection: Connection, message: Message) -> None:
    """
    Raises:
        OSError: there is nobody at the other end.
    """
    connection.send_bytes(json.dumps(message.head, allow_nan=False).encode())
    connection.send_bytes(message.body)


def receive(connection: Connection) -> Message:
    """Waits for a message.

    Raises:
        EOFError, OSError: there is nobody at the other end.
    """
    return Message(json.loads(connection.recv_bytes()), connection.recv_bytes())
