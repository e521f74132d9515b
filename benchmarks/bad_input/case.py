"""One bad input: what is damaged, what is typed, and what may not happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A command on damaged material.

    Attributes:
        kind: the generator it is from.
        name: what is bad about it.
        arguments: what is typed; ``{work}`` is a copy of the material that may be damaged, with the folders ``data``,
            ``run``, ``grid`` and ``rounds``.
        damage: what is done to ``{work}`` first.
        needs: the folders that are copied.
        must_fail: whether an exit code of 0 is a silent fault.
        mentions: words of which the error line has to hold one: the file, or the key.
        value: what was typed; the error line has to show it, or say that nothing was.
    """

    kind: str
    name: str
    arguments: tuple[str, ...]
    damage: Callable[[Path], None] = lambda work: None
    needs: tuple[str, ...] = ()
    must_fail: bool = True
    mentions: tuple[str, ...] = ()
    value: str = ""


def train(*flags: str, recipe: str = "{work}/data/recipe.yaml") -> tuple[str, ...]:
    """A training of one step on the material's data."""
    return ("train", recipe, "--out", "{work}/new", "--quiet", *flags)
