"""What became of an item of batch work, and how a worker says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

Status = Literal["done", "died", "interrupted"]


class Outcome(NamedTuple, Generic[Item, Value]):
    """What became of one item.

    Attributes:
        item: the item.
        value: what the function made of it; None where it was not done.
        status: ``done``; ``died``: its worker was killed each time it was tried; ``interrupted``: the work was to end.
        reason: how the worker died, for messages.
        seconds: from handing it out to its answer.
    """

    item: Item
    value: Value | None
    status: Status = "done"
    reason: str = ""
    seconds: float = 0.0


class Window:
    """How far ahead of what was taken items are handed out; without bound for results in any order."""

    def __init__(self, size: int | None) -> None:
        self.size, self.taken = size, 0

    def open(self, index: int) -> bool:
        """Whether the item of this number may be handed out."""
        return self.size is None or index < self.taken + self.size


def answer(function: Callable[[Any], Any], item: Any) -> bytes:
    """What a worker sends back: whether it went well, and the value or the error, pickled."""
    try:
        return pickle.dumps((True, function(item)))
    except Exception as error:  # travels to whoever waits for it
        error.__traceback__ = error.__cause__ = error.__context__ = None
        try:
            content = pickle.dumps((False, error))
            pickle.loads(content)  # some errors cannot be built again
        except Exception:
            text = " ".join(str(error).split())
            content = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {text}")))
        return content


def value_of(content: bytes) -> Any:
    """The value in an :func:`answer`.

    Raises:
        Exception: the function raised it in the worker.
    """
    well, value = pickle.loads(content)
    if not well:
        raise value
    return value
