"""Where batch work is done, as it is typed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.numbers import workers

if TYPE_CHECKING:
    from crosstask.engine import Engine


def add_engine(parser: argparse.ArgumentParser, default: int | None = None, what: str = "one per core") -> None:
    """The flags --workers and --on."""
    parser.add_argument(
        "--workers",
        type=workers,
        default=default,
        help=f"processes, 0 for this one alone (default: {what if default is None else default})",
    )
    add_on(parser)


def add_on(parser: argparse.ArgumentParser) -> None:
    """The flag --on."""
    parser.add_argument(
        "--on",
        default="processes",
        metavar="ENGINE",
        help="processes, ray (on this machine), or the address of a Ray cluster: auto, HOST:PORT, ray://HOST:PORT",
    )


def engine(arguments: argparse.Namespace) -> Engine:
    """The engine that was asked for.

    Raises:
        RecipeError: there is no such engine.
    """
    from crosstask.engine import Engine

    return Engine(arguments.on, arguments.workers)


def network_engine(arguments: argparse.Namespace) -> Engine:
    """The same for what a network computes: it uses all cores or the GPU of this process, where nothing else is said.

    Raises:
        RecipeError: there is no such engine.
    """
    from dataclasses import replace

    asked = engine(arguments)
    return replace(asked, workers=0) if asked.workers is None and asked.on == type(asked).on else asked
