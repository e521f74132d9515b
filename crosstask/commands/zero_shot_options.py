"""Options of eval and predict for classes nobody annotated."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from crosstask.evaluation.zero_shot import ZeroShot
    from crosstask.tasks.base import Task


def add_zero_shot_options(parser: argparse.ArgumentParser) -> None:
    """Which classes, and what they are scored from."""
    parser.add_argument(
        "--zero-shot",
        metavar="NAME=R",
        help="also score the classes of the table of relatedness R, as a new task NAME, from predicted tags",
    )
    parser.add_argument("--zero-shot-from", metavar="TASK", help="the tags (default: the only task of tags)")
    parser.add_argument(
        "--zero-shot-rule", choices=("likelihood", "indicator"), default="likelihood", help="default: likelihood"
    )


def zero_shot(network: nn.Module, tasks: Mapping[str, Task], arguments: argparse.Namespace) -> ZeroShot | None:
    """``network`` with the new task; None where none was asked for."""
    from crosstask.errors import UserError, nearest
    from crosstask.evaluation.zero_shot import ZeroShot
    from crosstask.names import require_name
    from crosstask.relatedness import read_relatedness

    if arguments.zero_shot is None:
        if arguments.zero_shot_from is not None:
            raise UserError(f"--zero-shot-from {arguments.zero_shot_from}: says nothing without --zero-shot NAME=R")
        return None
    name, _, table = arguments.zero_shot.partition("=")
    if not name or not table:
        raise UserError(f"--zero-shot {arguments.zero_shot}: write NAME=R, for example compound=du2014_compound")
    try:
        require_name(name, "--zero-shot", "name of a task")
    except ValueError as error:
        raise UserError(str(error)) from None
    if name in tasks:
        raise UserError(f"--zero-shot {name}: the run has a task of this name: give the new one another")
    tags = [task for task in tasks if tasks[task].kind == "tags"]
    source: str = arguments.zero_shot_from or (tags[0] if len(tags) == 1 else "")
    if source not in tasks:
        raise UserError(f"--zero-shot-from {source or 'is needed'}: {nearest(source, tags)}")
    try:
        return ZeroShot(network, tasks[source], read_relatedness(table), name, arguments.zero_shot_rule)
    except UserError as error:
        raise type(error)(f"--zero-shot {arguments.zero_shot}: {error}") from error
