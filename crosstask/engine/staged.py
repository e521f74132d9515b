"""Work in three stages, so that files are read and written while a network computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

_THREADS = 4


@dataclass(frozen=True)
class Staged(Generic[Item, Value]):
    """A function of an item, cut in three.

    Done in one process, threads load the next items and save the last ones while ``work`` goes on, in the main thread;
    in other processes the stages of an item follow each other.

    Attributes:
        load: item to what ``work`` takes.
        work: the computation.
        save: what ``work`` returned to the value of the item.
        ahead: items that are loaded while another is worked on, and as many that are saved.
    """

    load: Callable[[Item], Any]
    work: Callable[[Any], Any]
    save: Callable[[Any], Value]
    ahead: int = 4

    def __call__(self, item: Item) -> Value:
        """The three stages of one item, one after the other."""
        return self.save(self.work(self.load(item)))

    def each(self, items: Iterable[Item]) -> Iterator[Value]:
        """The values of the items, in order; a few items are in memory at once."""
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            worked = (self.work(loaded.result()) for loaded in _ahead(pool, self.load, items, self.ahead))
            for saved in _ahead(pool, self.save, worked, self.ahead):
                yield saved.result()


def _ahead(pool: Executor, function: Callable[[Any], Any], items: Iterable[Any], depth: int) -> Iterator[Future[Any]]:
    """``function`` of each item, in order, at most ``depth`` of them ahead of what is asked for."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft()
    yield from waiting
