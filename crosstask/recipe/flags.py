"""Flags that no parser knows beforehand: ``--training.epochs 5``, ``--depth 'depth/*.png'``."""

from __future__ import annotations

from collections.abc import Sequence

from crosstask.errors import UserError


def pairs(arguments: Sequence[str], example: str) -> list[tuple[str, str]]:
    """Flags and their values, in order.

    >>> pairs(["--training.epochs", "5", "--data.labels=one"], "--training.epochs 5")
    [('training.epochs', '5'), ('data.labels', 'one')]

    Args:
        arguments: what was typed.
        example: a flag with a value, for messages.

    Raises:
        UserError: a flag without a value, or a value without a flag.
    """
    found = []
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise UserError(f"{flag}: expected a flag, as in {example}")
        key, equals, text = flag[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"{flag}: needs a value, as in {example}")
            text = rest.pop(0)
        found.append((key, text))
    return found
