"""Options of eval and predict for classes nobody annotated."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.paths import require_relatedness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from crosstask.evaluation.zero_shot import Basic, ZeroShot
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
    parser.add_argument(
        "--zero-shot-basic",
        metavar="TASK=PARTS",
        help="also add the predicted probabilities of the classes of TASK that make up each new class, by the table "
        "PARTS (default: the tags alone)",
    )


def require_zero_shot(arguments: argparse.Namespace) -> None:
    """The tables of relatedness are there, before anything heavy is imported.

    Raises:
        UserError: one is not.
    """
    for flag, typed in (("--zero-shot", arguments.zero_shot), ("--zero-shot-basic", arguments.zero_shot_basic)):
        _, _, table = (typed or "").partition("=")
        if table:
            require_relatedness(table, f"{flag} {typed}")


def zero_shot(network: nn.Module, tasks: Mapping[str, Task], arguments: argparse.Namespace) -> ZeroShot | None:
    """``network`` with the new task; None where none was asked for."""
    from crosstask.errors import UserError, nearest
    from crosstask.evaluation.zero_shot import ZeroShot
    from crosstask.names import require_name
    from crosstask.relatedness import read_relatedness

    if arguments.zero_shot is None:
        if arguments.zero_shot_from is not None:
            raise UserError(f"--zero-shot-from {arguments.zero_shot_from}: says nothing without --zero-shot NAME=R")
        if arguments.zero_shot_basic is not None:
            raise UserError(f"--zero-shot-basic {arguments.zero_shot_basic}: says nothing without --zero-shot NAME=R")
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
    basic = None if arguments.zero_shot_basic is None else _basic(arguments.zero_shot_basic, tasks)
    try:
        return ZeroShot(network, tasks[source], read_relatedness(table), name, arguments.zero_shot_rule, basic)
    except UserError as error:
        raise type(error)(f"--zero-shot {arguments.zero_shot}: {error}") from error


def _basic(typed: str, tasks: Mapping[str, Task]) -> Basic:
    from crosstask.errors import UserError, nearest
    from crosstask.evaluation.zero_shot import Basic
    from crosstask.relatedness import read_relatedness

    name, _, table = typed.partition("=")
    if not name or not table:
        raise UserError(f"--zero-shot-basic {typed}: write TASK=PARTS, for example category=du2014_parts")
    if name not in tasks:
        found = [task for task in tasks if tasks[task].kind == "category"]
        raise UserError(f"--zero-shot-basic {typed}: the run has no task {name!r}; {nearest(name, found)}")
    try:
        return Basic(tasks[name], read_relatedness(table))
    except UserError as error:
        raise type(error)(f"--zero-shot-basic {typed}: {error}") from error
