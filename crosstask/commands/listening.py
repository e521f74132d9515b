"""Options of commands that listen for others: where, and how much they take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.numbers import real, whole

if TYPE_CHECKING:
    import socket


def add_address(parser: argparse.ArgumentParser, port: int) -> None:
    """``--host``, ``--port``, ``--max-megabytes``, ``--max-pixels``.

    Args:
        parser: of the command.
        port: the default.
    """
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument(
        "--port", type=whole(0, 65535), default=port, help=f"port to listen on; 0: any that is free (default: {port})"
    )
    parser.add_argument(
        "--max-megabytes", type=real(0.001, 1000), default=20.0, metavar="MB", help="largest upload (default: 20)"
    )
    parser.add_argument(
        "--max-pixels", type=whole(1, 2**26), default=2**24, metavar="N",
        help=f"most pixels of a picture, seen before it is decoded (default: {2**24:,})",
    )  # fmt: skip


def said_where(listening: socket.socket, what: str) -> None:
    """Says where it listens, and warns where others can reach it."""
    import sys

    from crosstask.serve.server import address, is_local

    print(f"{what} on {address(listening)}; Ctrl-C ends it", flush=True)
    if not is_local(listening):
        print(
            "crosstask: warning: listening beyond this machine: whoever reaches it can use the network, there is no "
            "password and no encryption: put a proxy before it that has them",
            file=sys.stderr,
            flush=True,
        )
