"""The option that prints what a table says for programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def show(arguments: argparse.Namespace, table: Callable[[], RenderableType], values: Callable[[], Any]) -> None:
    """Print the table, or its values as strict JSON: what nobody could measure is null."""
    if arguments.json:
        import json

        from crosstask.training.run import plain

        print(json.dumps(plain(values()), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        Console().print(table())
